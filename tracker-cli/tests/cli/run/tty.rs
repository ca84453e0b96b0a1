//! Commands that use the terminal.

use crate::{fixture::Fixture, terminal::Terminal};

const READ: &str = "printf '%s? ' {} > /dev/tty; read answer < /dev/tty; echo {} got $answer";

fn start(fixture: &Fixture, options: &[&str], command: &str) -> Terminal {
    let arguments = [&["run", "jobs.redb", "-j1"], options, &["--shell", "--", command, ":::", "a", "b"]].concat();
    Terminal::start(&fixture.path("."), 20, 100, &arguments)
}

#[test]
fn command_that_reads_the_terminal_fails_with_its_reason() {
    let fixture = Fixture::new();
    let mut terminal = start(&fixture, &[], READ);
    terminal.shows(&["line 1: the command uses the terminal and was ended", "--tty gives it the terminal", "line 2:"]);
    assert_eq!(terminal.ends(), 1);
    let shown = fixture.fine(&["show", "jobs.redb", "a"]);
    assert!(shown["error"].as_str().unwrap().starts_with("the command uses the terminal"), "{shown}");
}

#[test]
fn command_that_changes_the_terminal_fails_with_its_reason() {
    let fixture = Fixture::new();
    let mut terminal = start(&fixture, &[], "trap '' TERM; stty -echo < /dev/tty; echo {}");
    terminal.shows(&["line 1: the command uses the terminal", "line 2: the command uses the terminal"]);
    assert_eq!(terminal.ends(), 1);
}

#[test]
fn external_stop_is_not_a_use_of_the_terminal() {
    let fixture = Fixture::new();
    let command = "(until grep -q '(sh) T' /proc/$$/stat; do :; done; kill -CONT $$) & kill -STOP $$; echo {} went on";
    let mut terminal = start(&fixture, &[], command);
    terminal.shows(&["a went on", "b went on"]);
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn tty_gives_the_terminal_to_one_command_after_the_other() {
    let fixture = Fixture::new();
    let mut terminal = start(&fixture, &["--tty"], READ);
    terminal.shows_without(&["a?"], &["b?"]);
    terminal.press("one\r");
    terminal.shows(&["a got one", "b?"]);
    // Ctrl-Z finds no shell that could continue the run, which goes on at once.
    terminal.press("\x1a");
    terminal.press("two\r");
    terminal.shows(&["b got two"]);
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn tty_restores_the_modes_that_a_command_leaves() {
    let fixture = Fixture::new();
    let command = "case {} in a) stty -echo;; b) stty -a | grep -o ' echo ';; esac";
    let mut terminal = start(&fixture, &["--tty"], command);
    terminal.shows(&["echo"]);
    assert_eq!(terminal.ends(), 0);
}

#[test]
fn ctrl_c_on_the_terminal_of_a_command_stops_the_run() {
    let fixture = Fixture::new();
    let mut terminal = start(&fixture, &["--tty"], "echo {} waits; exec sleep 300");
    terminal.shows(&["a waits"]);
    terminal.press("\x03");
    terminal.shows(&["stopped; 2 lines are left"]);
    assert_eq!(terminal.ends(), 130);
}

#[test]
fn tty_with_several_jobs_is_refused() {
    let ran = Fixture::new().run(&["run", "jobs.redb", "--tty", "-j2", "--", "echo", ":::", "a"]);
    assert_eq!(ran.code, Some(2));
    assert!(ran.err.contains("--tty runs one command at a time"), "{}", ran.err);
}
