//! `App`: the state of the live view, changed by keys and by the clock. Run by `top/mod`; reads through `source`, drawn by `view`.

use std::{
    collections::HashMap,
    time::{Duration, Instant},
};

use chrono::{DateTime, Utc};
use ratatui::crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use tracker_core::{
    inspect::{ErrorGroups, Explanation},
    task::TaskKey,
};

use super::{
    keys::{self, KeyAction},
    list_selection::{ListSelection, Move},
    listing::Listing,
    live_throughput::LiveThroughput,
    source::{AdminAction, Filter, KindSnapshot, TrackerSource},
};
use crate::{
    error::CliError,
    task::{SchedulesStatus, UntypedRecord},
};

/// The time between two reads of the schedules: there may be many, and they change seldom.
const SCHEDULES: Duration = Duration::from_secs(5);
/// The number of tasks on a page of the list.
const PAGE: usize = 100;

/// The state of the live view.
pub struct App {
    source: TrackerSource,
    pub kinds: Vec<KindSnapshot>,
    pub schedules: Option<SchedulesStatus>,
    schedules_read: Option<Instant>,
    throughput: HashMap<String, LiveThroughput>,
    pub screen: Screen,
    pub mode: Mode,
    pub kind: ListSelection,
    pub filter: Filter,
    pub tasks: Listing,
    pub errors: Option<ErrorGroups>,
    pub error: ListSelection,
    pub task: Option<(UntypedRecord, Explanation)>,
    /// The number of lines of the task that are above the screen.
    pub scroll: ListSelection,
    /// The last message, and whether it reports success.
    pub message: Option<(bool, String)>,
    quit: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Screen {
    Overview,
    Tasks,
    Task,
    Errors,
}

/// The effect of the next key.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Mode {
    Normal,
    Help,
    /// Types the text of a filter.
    FilterInput(String),
    /// Confirms an action on the kind, or on this task.
    Confirm(AdminAction, Option<TaskKey>),
}

impl App {
    pub fn new(source: TrackerSource) -> Self {
        Self {
            source,
            kinds: Vec::new(),
            schedules: None,
            schedules_read: None,
            throughput: HashMap::new(),
            screen: Screen::Overview,
            mode: Mode::Normal,
            kind: ListSelection::default(),
            filter: Filter::default(),
            tasks: Listing::default(),
            errors: None,
            error: ListSelection::default(),
            task: None,
            scroll: ListSelection::default(),
            message: None,
            quit: false,
        }
    }

    pub fn should_quit(&self) -> bool {
        self.quit
    }

    pub fn file(&self) -> String {
        self.source.name()
    }

    /// Returns the time of the tracker.
    pub fn now(&self) -> DateTime<Utc> {
        self.source.now()
    }

    pub fn selected_kind(&self) -> Option<&KindSnapshot> {
        self.kinds.get(self.kind.selected)
    }

    pub fn throughput(&self, kind: &KindSnapshot) -> Option<&LiveThroughput> {
        self.throughput.get(&kind.info.name)
    }

    /// Refreshes the view if the file has changed.
    pub fn tick(&mut self) {
        match self.source.has_changed() {
            Ok(true) => self.refresh(),
            Ok(false) => self.record_samples(),
            Err(error) => self.show_error(&error),
        }
    }

    /// Reads everything on the screen again.
    pub fn refresh(&mut self) {
        if let Err(error) = self.read() {
            self.show_error(&error);
        }
        self.record_samples();
    }

    fn read(&mut self) -> Result<(), CliError> {
        self.kinds = self.source.kinds()?;
        self.kind.clamp(self.kinds.len());
        if self.schedules_read.is_none_or(|read| read.elapsed() >= SCHEDULES) {
            self.schedules = self.source.schedules()?;
            self.schedules_read = Some(Instant::now());
        }
        match self.screen {
            Screen::Overview => Ok(()),
            Screen::Tasks => self.read_tasks(),
            Screen::Task => self.read_task(),
            Screen::Errors => self.read_errors(),
        }
    }

    fn record_samples(&mut self) {
        let now = Instant::now();
        for kind in &self.kinds {
            self.throughput.entry(kind.info.name.clone()).or_default().record(kind, now);
        }
    }

    fn show_error(&mut self, error: &CliError) {
        self.message = Some((false, error.to_string()));
    }

    fn name(&self) -> Option<String> {
        Some(self.selected_kind()?.info.name.clone())
    }

    fn read_tasks(&mut self) -> Result<(), CliError> {
        let Some(kind) = self.name() else { return Ok(()) };
        let selected = self.tasks.items.get(self.tasks.list.selected).map(|task| task.id.clone());
        let page = self.source.tasks(&kind, &self.filter, self.tasks.starts.last().copied(), PAGE)?;
        self.tasks.items = page.items;
        self.tasks.unreadable = page.unreadable;
        self.tasks.next = page.next;
        // The selection follows its task.
        if let Some(at) = selected.and_then(|id| self.tasks.items.iter().position(|task| task.id == id)) {
            self.tasks.list.selected = at;
        }
        self.tasks.list.clamp(self.tasks.items.len());
        Ok(())
    }

    fn read_task(&mut self) -> Result<(), CliError> {
        let (Some(kind), Some((task, _))) = (self.name(), &self.task) else { return Ok(()) };
        let id = task.id.clone();
        match self.source.task(&kind, &id)? {
            Some(found) => self.task = Some(found),
            None => self.message = Some((false, format!("{id} was deleted"))),
        }
        Ok(())
    }

    fn read_errors(&mut self) -> Result<(), CliError> {
        let Some(kind) = self.name() else { return Ok(()) };
        let errors = self.source.errors(&kind)?;
        self.error.clamp(errors.groups.len());
        self.errors = Some(errors);
        Ok(())
    }

    pub fn press(&mut self, key: KeyEvent) {
        match std::mem::replace(&mut self.mode, Mode::Normal) {
            Mode::Normal => {
                self.message = None;
                if let Some(action) = keys::action(key) {
                    self.run_key(action);
                }
            }
            Mode::Help => {}
            Mode::FilterInput(text) => self.typing(text, key),
            Mode::Confirm(action, id) => {
                if key.code == KeyCode::Char('y') {
                    self.run_action(action, id.as_ref());
                } else {
                    self.message = Some((true, "not changed".to_owned()));
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
        self.mode = Mode::FilterInput(text);
    }

    fn run_key(&mut self, action: KeyAction) {
        match action {
            KeyAction::Quit => self.quit = true,
            KeyAction::Help => self.mode = Mode::Help,
            KeyAction::Overview => self.show(Screen::Overview),
            KeyAction::Tasks => self.show(Screen::Tasks),
            KeyAction::Errors => self.show(Screen::Errors),
            KeyAction::NextKind => self.other_kind(Move::Down),
            KeyAction::PreviousKind => self.other_kind(Move::Up),
            KeyAction::Move(step) => self.step(step),
            KeyAction::Open => self.open(),
            KeyAction::Back => self.back(),
            KeyAction::NextStatus => self.next_status(),
            KeyAction::Filter => self.mode = Mode::FilterInput(self.filter.text.clone()),
            KeyAction::Refresh => self.refresh(),
            KeyAction::Admin(AdminAction::Pause) => self.mode = Mode::Confirm(AdminAction::Pause, None),
            KeyAction::Admin(action) => self.ask(action),
        }
    }

    fn show(&mut self, screen: Screen) {
        self.screen = screen;
        self.scroll = ListSelection::default();
        self.refresh();
    }

    fn other_kind(&mut self, step: Move) {
        self.kind.step(step, self.kinds.len());
        self.filter.code = None;
        self.tasks = Listing::default();
        self.error = ListSelection::default();
        let screen = if self.screen == Screen::Task { Screen::Tasks } else { self.screen };
        self.show(screen);
    }

    fn step(&mut self, step: Move) {
        match self.screen {
            Screen::Overview => {
                self.other_kind(step);
            }
            Screen::Tasks => self.step_tasks(step),
            // The length of the page is known when it is drawn.
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
                self.tasks.list.selected = 0;
            }
            Move::Up | Move::PageUp => {
                if self.tasks.starts.pop().is_none() {
                    return;
                }
                self.tasks.list.selected = PAGE - 1;
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
                let (Some(kind), Some(task)) = (self.name(), self.tasks.items.get(self.tasks.list.selected)) else {
                    return;
                };
                let id = task.id.clone();
                match self.source.task(&kind, &id) {
                    Ok(found) => self.task = found,
                    Err(error) => return self.show_error(&error),
                }
                if self.task.is_some() {
                    self.show(Screen::Task);
                }
            }
            Screen::Errors => {
                let groups = self.errors.as_ref().map(|errors| &errors.groups);
                let group = groups.and_then(|groups| groups.get(self.error.selected));
                // The errors of tasks contain their ids and not the placeholder.
                let text = group.map(|group| group.search_text().to_owned());
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

    /// Filters by the next status; after the last one, by none.
    fn next_status(&mut self) {
        let Some(kind) = self.selected_kind() else { return };
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

    fn ask(&mut self, action: AdminAction) {
        let id = match self.screen {
            Screen::Tasks => self.tasks.items.get(self.tasks.list.selected).map(|task| task.id.clone()),
            Screen::Task => self.task.as_ref().map(|(task, _)| task.id.clone()),
            Screen::Overview | Screen::Errors => None,
        };
        match id {
            Some(id) => self.mode = Mode::Confirm(action, Some(id)),
            None => self.message = Some((false, "select a task first (2)".to_owned())),
        }
    }

    fn run_action(&mut self, action: AdminAction, id: Option<&TaskKey>) {
        let Some(kind) = self.name() else { return };
        let message = match self.source.run(&kind, id, action) {
            Ok(text) => (true, text),
            Err(error) => (false, error.to_string()),
        };
        if message.0 && action == AdminAction::Remove && self.screen == Screen::Task {
            self.screen = Screen::Tasks;
        }
        self.refresh();
        self.message = Some(message);
    }
}
