//! `Combinations`: the combinations of several sources, in the order of GNU parallel: the last source varies fastest. Called by `input`; reads
//! the sources.

use std::io;

use super::{record::Record, record_reader::RecordReader};

pub struct Combinations {
    groups: Vec<Vec<Record>>,
    /// The next combination: a record of each group. `None` after the last one.
    next: Option<Vec<usize>>,
}

impl Combinations {
    /// Reads all sources into memory. Linked sources end with the shortest of them; a group without records counts as one with
    /// an empty line.
    pub fn read(groups: Vec<Vec<RecordReader>>) -> io::Result<Self> {
        let linked = groups.into_iter().map(|group| {
            let sources = group.into_iter().map(RecordReader::read_all).collect::<io::Result<Vec<_>>>()?;
            Ok(link(&sources))
        });
        let mut groups = linked.collect::<io::Result<Vec<_>>>()?;
        let is_single = groups.len() == 1;
        for group in groups.iter_mut().filter(|group| group.is_empty() && !is_single) {
            group.push(Record::line(Vec::new()));
        }
        let has_records = groups.iter().all(|group| !group.is_empty());
        Ok(Self { next: has_records.then(|| vec![0; groups.len()]), groups })
    }
}

fn link(sources: &[Vec<Record>]) -> Vec<Record> {
    let count = sources.iter().map(Vec::len).min().unwrap_or_default();
    (0..count).map(|at| Record::join(sources.iter().filter_map(|source| source.get(at)))).collect()
}

impl Iterator for Combinations {
    type Item = Record;

    fn next(&mut self) -> Option<Record> {
        let next = self.next.as_mut()?;
        let record = Record::join(self.groups.iter().zip(&*next).filter_map(|(group, at)| group.get(*at)));
        for (at, group) in next.iter_mut().zip(&self.groups).rev() {
            *at += 1;
            if *at < group.len() {
                return Some(record);
            }
            *at = 0;
        }
        self.next = None;
        Some(record)
    }
}
