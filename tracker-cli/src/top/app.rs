use std::{collections::HashMap, time::Instant};

use chrono::{DateTime, Utc};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tracker_core::{
    inspect::{ErrorGroups, Explanation},
    query::{Cursor, UnreadableTask},
    task::TaskKey,
};

use super::{
    keys::{self, Want},
    list::{List, Move},
    pace::Throughput,
    source::{Act, Filter, Kind, Source, Task},
};
use crate::failure::Failure;

/// How many tasks a page of the list holds; more are a page further.
const PAGE: usize = 100;

/// What the user sees, and where he is.
pub struct App {
    source: Source,
    pub kinds: Vec<Kind>,
    paces: HashMap<String, Throughput>,
    pub screen: Screen,
    pub mode: Mode,
    pub kind: List,
    pub filter: Filter,
    pub tasks: Listing,
    pub errors: Option<ErrorGroups>,
    pub error: List,
    pub task: Option<(Task, Explanation)>,
    /// How many lines of the task's page are above the screen.
    pub scroll: List,
    /// The last thing to be said, and whether it is good.
    pub word: Option<(bool, String)>,
    over: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Screen {
    Overview,
    Tasks,
    Task,
    Errors,
}

/// What keys are for at the moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    Looking,
    Helping,
    /// A filter is typed.
    Typing(String),
    /// Whether to do this, to this task where it is one.
    Asking(Act, Option<TaskKey>),
}

/// A page of tasks.
#[derive(Default)]
pub struct Listing {
    pub items: Vec<Task>,
    /// The tasks of the page that cannot be decoded.
    pub unreadable: Vec<UnreadableTask>,
    pub list: List,
    next: Option<Cursor>,
    /// Where the page and those before it begin.
    starts: Vec<Cursor>,
}

impl Listing {
    /// Which page it is, from 1.
    pub fn number(&self) -> usize {
        self.starts.len() + 1
    }
}

impl App {
    pub fn new(source: Source) -> Self {
        Self {
            source,
            kinds: Vec::new(),
            paces: HashMap::new(),
            screen: Screen::Overview,
            mode: Mode::Looking,
            kind: List::default(),
            filter: Filter::default(),
            tasks: Listing::default(),
            errors: None,
            error: List::default(),
            task: None,
            scroll: List::default(),
            word: None,
            over: false,
        }
    }

    pub fn is_over(&self) -> bool {
        self.over
    }

    pub fn file(&self) -> String {
        self.source.name()
    }

    /// The tracker's time.
    pub fn now(&self) -> DateTime<Utc> {
        self.source.now()
    }

    pub fn chosen(&self) -> Option<&Kind> {
        self.kinds.get(self.kind.chosen)
    }

    pub fn pace(&self, kind: &Kind) -> Option<&Throughput> {
        self.paces.get(&kind.info.name)
    }

    /// Looks whether something has changed.
    pub fn tick(&mut self) {
        match self.source.has_changed() {
            Ok(true) => self.refresh(),
            Ok(false) => self.remember(),
            Err(failure) => self.say(&failure),
        }
    }

    /// Reads again what is on the screen.
    pub fn refresh(&mut self) {
        if let Err(failure) = self.read() {
            self.say(&failure);
        }
        self.remember();
    }

    fn read(&mut self) -> Result<(), Failure> {
        self.kinds = self.source.kinds()?;
        self.kind.within(self.kinds.len());
        match self.screen {
            Screen::Overview => Ok(()),
            Screen::Tasks => self.read_tasks(),
            Screen::Task => self.read_task(),
            Screen::Errors => self.read_errors(),
        }
    }

    fn remember(&mut self) {
        let now = Instant::now();
        for kind in &self.kinds {
            self.paces.entry(kind.info.name.clone()).or_default().look(kind, now);
        }
    }

    fn say(&mut self, failure: &Failure) {
        self.word = Some((false, failure.to_string()));
    }

    fn name(&self) -> Option<String> {
        Some(self.chosen()?.info.name.clone())
    }

    fn read_tasks(&mut self) -> Result<(), Failure> {
        let Some(kind) = self.name() else { return Ok(()) };
        let chosen = self.tasks.items.get(self.tasks.list.chosen).map(|task| task.id.clone());
        let page = self.source.tasks(&kind, &self.filter, self.tasks.starts.last().copied(), PAGE)?;
        self.tasks.items = page.items;
        self.tasks.unreadable = page.unreadable;
        self.tasks.next = page.next;
        // The choice stays with its task where that has moved.
        if let Some(at) = chosen.and_then(|id| self.tasks.items.iter().position(|task| task.id == id)) {
            self.tasks.list.chosen = at;
        }
        self.tasks.list.within(self.tasks.items.len());
        Ok(())
    }

    fn read_task(&mut self) -> Result<(), Failure> {
        let (Some(kind), Some((task, _))) = (self.name(), &self.task) else { return Ok(()) };
        let id = task.id.clone();
        match self.source.task(&kind, &id)? {
            Some(found) => self.task = Some(found),
            None => self.word = Some((false, format!("{id} is gone"))),
        }
        Ok(())
    }

    fn read_errors(&mut self) -> Result<(), Failure> {
        let Some(kind) = self.name() else { return Ok(()) };
        let errors = self.source.errors(&kind)?;
        self.error.within(errors.groups.len());
        self.errors = Some(errors);
        Ok(())
    }

    pub fn press(&mut self, key: KeyEvent) {
        match std::mem::replace(&mut self.mode, Mode::Looking) {
            Mode::Looking => {
                self.word = None;
                if let Some(want) = keys::want(key) {
                    self.want(want);
                }
            }
            Mode::Helping => {}
            Mode::Typing(text) => self.typing(text, key),
            Mode::Asking(act, id) => {
                if key.code == KeyCode::Char('y') {
                    self.act(act, id.as_ref());
                } else {
                    self.word = Some((true, "nothing was changed".to_owned()));
                }
            }
        }
    }

    fn typing(&mut self, mut text: String, key: KeyEvent) {
        match key.code {
            KeyCode::Enter => return self.filter_by(text),
            KeyCode::Esc => return,
            KeyCode::Backspace => drop(text.pop()),
            KeyCode::Char(char) if !key.modifiers.contains(KeyModifiers::CONTROL) => text.push(char),
            _ => {}
        }
        self.mode = Mode::Typing(text);
    }

    fn want(&mut self, want: Want) {
        match want {
            Want::Leave => self.over = true,
            Want::Help => self.mode = Mode::Helping,
            Want::Overview => self.show(Screen::Overview),
            Want::Tasks => self.show(Screen::Tasks),
            Want::Errors => self.show(Screen::Errors),
            Want::NextKind => self.other_kind(Move::Down),
            Want::PreviousKind => self.other_kind(Move::Up),
            Want::Move(step) => self.step(step),
            Want::Open => self.open(),
            Want::Back => self.back(),
            Want::NextStatus => self.next_status(),
            Want::Filter => self.mode = Mode::Typing(self.filter.text.clone()),
            Want::Refresh => self.refresh(),
            Want::Act(Act::Pause) => self.mode = Mode::Asking(Act::Pause, None),
            Want::Act(act) => self.ask(act),
        }
    }

    fn show(&mut self, screen: Screen) {
        self.screen = screen;
        self.scroll = List::default();
        self.refresh();
    }

    fn other_kind(&mut self, step: Move) {
        self.kind.step(step, self.kinds.len());
        self.filter.code = None;
        self.tasks = Listing::default();
        self.error = List::default();
        let screen = if self.screen == Screen::Task { Screen::Tasks } else { self.screen };
        self.show(screen);
    }

    fn step(&mut self, step: Move) {
        match self.screen {
            Screen::Overview => {
                self.other_kind(step);
            }
            Screen::Tasks => self.step_tasks(step),
            // The end of the page is known when it is drawn.
            Screen::Task => drop(self.scroll.step(step, usize::MAX)),
            Screen::Errors => {
                let length = self.errors.as_ref().map_or(0, |errors| errors.groups.len());
                self.error.step(step, length);
            }
        }
    }

    fn step_tasks(&mut self, step: Move) {
        if !self.tasks.list.step(step, self.tasks.items.len()) {
            return;
        }
        match step {
            Move::Down | Move::PageDown => {
                let Some(next) = self.tasks.next else { return };
                self.tasks.starts.push(next);
                self.tasks.list.chosen = 0;
            }
            Move::Up | Move::PageUp => {
                if self.tasks.starts.pop().is_none() {
                    return;
                }
                self.tasks.list.chosen = PAGE - 1;
            }
            Move::First => {
                self.tasks.starts.clear();
            }
            Move::Last => return,
        }
        self.tasks.items.clear();
        self.tasks.unreadable.clear();
        self.refresh();
    }

    fn open(&mut self) {
        match self.screen {
            Screen::Overview => self.show(Screen::Tasks),
            Screen::Tasks => {
                let (Some(kind), Some(task)) = (self.name(), self.tasks.items.get(self.tasks.list.chosen)) else {
                    return;
                };
                let id = task.id.clone();
                match self.source.task(&kind, &id) {
                    Ok(found) => self.task = found,
                    Err(failure) => return self.say(&failure),
                }
                if self.task.is_some() {
                    self.show(Screen::Task);
                }
            }
            Screen::Errors => {
                let groups = self.errors.as_ref().map(|errors| &errors.groups);
                let group = groups.and_then(|groups| groups.get(self.error.chosen));
                // What stands for the ids is in no task's own error.
                let text = group.map(|group| longest_part(&group.message).to_owned());
                if let Some(text) = text {
                    self.filter_by(text);
                }
            }
            Screen::Task => {}
        }
    }

    fn filter_by(&mut self, text: String) {
        self.filter = Filter { text, code: None };
        self.tasks = Listing::default();
        self.show(Screen::Tasks);
    }

    fn back(&mut self) {
        match self.screen {
            Screen::Task => self.show(Screen::Tasks),
            Screen::Tasks if self.filter != Filter::default() => self.filter_by(String::new()),
            Screen::Overview | Screen::Tasks | Screen::Errors => self.show(Screen::Overview),
        }
    }

    /// All statuses, then one after the other.
    fn next_status(&mut self) {
        let Some(kind) = self.chosen() else { return };
        let mut codes = kind.counts.iter().map(|(status, _)| status.code);
        self.filter.code = match self.filter.code {
            None => codes.next(),
            Some(code) => {
                codes.find(|other| *other == code);
                codes.next()
            }
        };
        self.tasks = Listing::default();
        self.show(Screen::Tasks);
    }

    fn ask(&mut self, act: Act) {
        let id = match self.screen {
            Screen::Tasks => self.tasks.items.get(self.tasks.list.chosen).map(|task| task.id.clone()),
            Screen::Task => self.task.as_ref().map(|(task, _)| task.id.clone()),
            Screen::Overview | Screen::Errors => None,
        };
        match id {
            Some(id) => self.mode = Mode::Asking(act, Some(id)),
            None => self.word = Some((false, "choose a task first (2)".to_owned())),
        }
    }

    fn act(&mut self, act: Act, id: Option<&TaskKey>) {
        let Some(kind) = self.name() else { return };
        let word = match self.source.act(&kind, id, act) {
            Ok(done) => (true, done),
            Err(failure) => (false, failure.to_string()),
        };
        if word.0 && act == Act::Remove && self.screen == Screen::Task {
            self.screen = Screen::Tasks;
        }
        self.refresh();
        self.word = Some(word);
    }
}

/// The longest part of a message beside the places that stand for ids.
fn longest_part(message: &str) -> &str {
    message.split("{id}").map(str::trim).max_by_key(|part| part.len()).unwrap_or_default()
}
