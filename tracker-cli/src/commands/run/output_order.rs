//! `OutputOrder`: the order of `--keep-order`: output of later lines is held in two files until earlier lines have ended. Called by
//! `run_output`; writes temporary files.

use std::{
    collections::{BTreeMap, BTreeSet},
    fs::File,
    io::{self, Read, Seek, SeekFrom, Write},
    ops::Range,
};

/// Memory grows with the number of lines that have not ended, and of outputs that are held; the outputs are in the files.
pub struct OutputOrder {
    /// The numbers of lines that have not ended.
    unfinished: BTreeSet<u64>,
    /// The outputs of each line, one for each attempt.
    held: BTreeMap<u64, Vec<Held>>,
    stdout: File,
    stderr: File,
}

/// The parts of the two files that hold an output, in bytes.
struct Held {
    stdout: Range<u64>,
    stderr: Range<u64>,
}

impl OutputOrder {
    /// Creates the files, which have no name.
    pub fn new() -> io::Result<Self> {
        let (stdout, stderr) = (tempfile::tempfile()?, tempfile::tempfile()?);
        Ok(Self { unfinished: BTreeSet::new(), held: BTreeMap::new(), stdout, stderr })
    }

    /// Adds lines that have not ended.
    pub fn add(&mut self, numbers: impl IntoIterator<Item = u64>) {
        self.unfinished.extend(numbers);
    }

    /// Returns whether no line before this one is unfinished.
    pub fn is_due(&self, number: u64) -> bool {
        self.unfinished.first().is_none_or(|first| number <= *first)
    }

    /// Writes an output into the files.
    pub fn hold<R>(
        &mut self,
        number: u64,
        write: impl FnOnce(&mut dyn Write, &mut dyn Write) -> io::Result<R>,
    ) -> io::Result<()> {
        let (out, err) = (self.stdout.seek(SeekFrom::End(0))?, self.stderr.seek(SeekFrom::End(0))?);
        write(&mut self.stdout, &mut self.stderr)?;
        let held = Held { stdout: out..self.stdout.stream_position()?, stderr: err..self.stderr.stream_position()? };
        self.held.entry(number).or_default().push(held);
        Ok(())
    }

    /// Removes a line that has ended, and prints the outputs that are due.
    pub fn end_line(&mut self, number: u64, stdout: &mut dyn Write, stderr: &mut dyn Write) -> io::Result<()> {
        self.unfinished.remove(&number);
        while let Some(first) = self.held.first_entry() {
            if self.unfinished.first().is_some_and(|unfinished| *unfinished < *first.key()) {
                return Ok(());
            }
            for held in first.remove() {
                print(&mut self.stdout, held.stdout, stdout)?;
                print(&mut self.stderr, held.stderr, stderr)?;
            }
        }
        if self.stdout.stream_position()? > 0 {
            self.stdout.set_len(0)?;
        }
        if self.stderr.stream_position()? > 0 {
            self.stderr.set_len(0)?;
        }
        Ok(())
    }

    /// Prints all held outputs in their order. The run has ended.
    pub fn end(&mut self, stdout: &mut dyn Write, stderr: &mut dyn Write) -> io::Result<()> {
        self.unfinished.clear();
        self.end_line(0, stdout, stderr)
    }
}

fn print(file: &mut File, part: Range<u64>, to: &mut dyn Write) -> io::Result<()> {
    if part.is_empty() {
        return Ok(());
    }
    file.seek(SeekFrom::Start(part.start))?;
    io::copy(&mut file.take(part.end - part.start), to)?;
    to.flush()
}

#[cfg(test)]
#[expect(clippy::unwrap_used, reason = "a test fails by panicking")]
mod tests {
    use super::*;

    /// Ends lines in this order, and returns the output after each.
    fn printed(unfinished: Range<u64>, ends: &[u64]) -> Vec<String> {
        let mut order = OutputOrder::new().unwrap();
        order.add(unfinished);
        let (mut out, mut err) = (Vec::new(), Vec::new());
        let mut printed: Vec<_> = ends
            .iter()
            .map(|number| {
                if order.is_due(*number) {
                    write!(out, "{number}").unwrap();
                } else {
                    order
                        .hold(*number, |out, err| write!(out, "{number}").and_then(|()| write!(err, "e{number}")))
                        .unwrap();
                }
                order.end_line(*number, &mut out, &mut err).unwrap();
                String::from_utf8_lossy(&out).into_owned()
            })
            .collect();
        order.end(&mut out, &mut err).unwrap();
        printed.push(String::from_utf8_lossy(&out).into_owned());
        assert_eq!(order.stdout.metadata().unwrap().len() + order.stderr.metadata().unwrap().len(), 0);
        printed
    }

    #[test]
    fn output_waits_for_earlier_lines() {
        assert_eq!(printed(1..4, &[1, 2, 3]), ["1", "12", "123", "123"]);
        assert_eq!(printed(1..5, &[3, 2, 1, 4]), ["", "", "123", "1234", "1234"]);
        // Lines that ended before the run are not waited for.
        assert_eq!(printed(5..8, &[6, 5]), ["", "56", "56"]);
        // Line 1 does not end: the rest is printed at the end of the run.
        assert_eq!(printed(1..4, &[3, 2]), ["", "", "23"]);
    }

    #[test]
    fn attempts_of_the_first_line_are_printed_at_once() {
        let mut order = OutputOrder::new().unwrap();
        order.add(1..3);
        order.hold(2, |out, _| out.write_all(b"first ")).unwrap();
        order.hold(2, |out, _| out.write_all(b"second ")).unwrap();
        let mut out = Vec::new();
        order.end_line(1, &mut out, &mut io::sink()).unwrap();
        assert_eq!(
            (String::from_utf8_lossy(&out).as_ref(), order.is_due(2), order.is_due(3)),
            ("first second ", true, false)
        );
    }
}
