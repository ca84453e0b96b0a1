//! Compares schedules with a model on random calls: time passes with and without the program, occurrences start, end and are cancelled,
//! schedules are paused and run by hand. Each combination of catch-up and overlap is one schedule.

use std::{collections::BTreeMap, time::Duration};

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use tracker_core::{
    Execution, Tasks, TrackedTask, Tracker,
    execution::StartOptions,
    file::Sharing,
    redb_store::OptionsExt,
    schedule::{CatchUp, Occurrence, Overlap, Schedule},
    time::ManualClock,
};

use crate::support::{
    kinds::{DAY, Status, sound},
    random::Random,
    test_disk::Disk,
};

/// The seconds between two occurrences.
const PERIOD: i64 = 600;
/// An occurrence that is noticed more seconds after its time is missed.
const GRACE: i64 = 60;
const CATCH_UPS: [CatchUp; 3] = [CatchUp::Skip, CatchUp::Latest, CatchUp::All { max: 3 }];
const OVERLAPS: [Overlap; 3] = [Overlap::Skip, Overlap::QueueOne, Overlap::CancelEarlier];

/// The task of an occurrence, which is never deleted.
#[derive(TrackedTask, Serialize, Deserialize, Clone, Debug)]
#[task(name = "job", status = Status)]
struct Job {
    #[task(id)]
    name: String,
}

#[derive(Clone, Debug, PartialEq, Eq)]
enum State {
    /// It can start when these occurrences have ended.
    Waiting(Vec<i64>),
    Running,
    Ended,
}

/// A schedule in the model. Times are seconds since its definition.
#[derive(Debug)]
struct Model {
    catch_up: CatchUp,
    overlap: Overlap,
    next: i64,
    paused: bool,
    submitted: u64,
    missed: u64,
    overlapped: u64,
    occurrences: BTreeMap<i64, State>,
}

impl Model {
    fn unfinished(&self) -> Vec<i64> {
        let unfinished = self.occurrences.iter().filter(|(_, state)| **state != State::Ended);
        unfinished.map(|(nominal, _)| *nominal).collect()
    }

    fn submit_due(&mut self, now: i64) {
        if self.paused || self.next > now {
            return;
        }
        let times = std::iter::successors(Some(self.next), |last| Some(last + PERIOD));
        let all: Vec<_> = times.take_while(|nominal| *nominal <= now).collect();
        self.next = all[all.len() - 1] + PERIOD;
        let mut due = match self.catch_up {
            CatchUp::All { max } => all[all.len().saturating_sub(max as usize)..].to_vec(),
            _ => all[all.len() - 1..].to_vec(),
        };
        if self.catch_up == CatchUp::Skip {
            due.retain(|nominal| now - nominal <= GRACE);
        }
        self.missed += (all.len().min(100) - due.len()) as u64;
        let unfinished = self.unfinished();
        let admitted = match (self.overlap, unfinished.len()) {
            (_, 0) | (Overlap::CancelEarlier, _) => due.len(),
            (Overlap::QueueOne, 1) => due.len().min(1),
            _ => 0,
        };
        self.overlapped += (due.len() - admitted) as u64;
        if self.overlap == Overlap::CancelEarlier && admitted > 0 {
            for state in self.occurrences.values_mut().filter(|state| matches!(state, State::Waiting(_))) {
                *state = State::Ended;
            }
        }
        for nominal in &due[due.len() - admitted..] {
            self.submitted += 1;
            self.occurrences.insert(*nominal, State::Waiting(unfinished.clone()));
        }
    }

    /// Whether an occurrence can be started.
    fn is_startable(&self, nominal: i64) -> bool {
        match &self.occurrences[&nominal] {
            State::Waiting(after) => after.iter().all(|earlier| self.occurrences[earlier] == State::Ended),
            _ => false,
        }
    }
}

/// The tracker and the model.
struct Pair {
    disk: Disk,
    clock: ManualClock,
    begin: DateTime<Utc>,
    open: Option<(Tracker, Tasks<Job>)>,
    held: Vec<(usize, i64, Execution<Job>)>,
    models: Vec<Model>,
    now: i64,
}

fn build(occurrence: &Occurrence) -> Job {
    Job { name: occurrence.id() }
}

impl Pair {
    fn new() -> Self {
        let begin = DateTime::from_timestamp(1_893_456_000, 0).unwrap();
        let model = |catch_up, overlap| Model {
            catch_up,
            overlap,
            next: PERIOD,
            paused: false,
            submitted: 0,
            missed: 0,
            overlapped: 0,
            occurrences: BTreeMap::new(),
        };
        let models = CATCH_UPS.iter().flat_map(|catch_up| OVERLAPS.iter().map(|overlap| model(*catch_up, *overlap)));
        let mut pair = Self {
            disk: Disk::default(),
            clock: ManualClock::at(begin),
            begin,
            open: None,
            held: Vec::new(),
            models: models.collect(),
            now: 0,
        };
        pair.open();
        pair
    }

    fn open(&mut self) {
        let (disk, clock) = (self.disk.clone(), self.clock.clone());
        let options = Tracker::options().sharing(Sharing::Exclusive).prune_every(None).clock(clock);
        let tracker = options.open_backend(move || disk.open()).unwrap();
        let jobs = tracker.tasks::<Job>().unwrap();
        for (number, model) in self.models.iter().enumerate() {
            let every = Schedule::every(Duration::from_secs(PERIOD.unsigned_abs())).unwrap();
            let every = every.catch_up(model.catch_up).unwrap().overlap(model.overlap);
            jobs.schedule(&number.to_string(), &every, build).unwrap();
        }
        self.open = Some((tracker, jobs));
    }

    fn tracker(&self) -> &Tracker {
        &self.open.as_ref().unwrap().0
    }

    fn jobs(&self) -> &Tasks<Job> {
        &self.open.as_ref().unwrap().1
    }

    fn id(&self, number: usize, nominal: i64) -> String {
        let at = self.begin + chrono::TimeDelta::seconds(nominal);
        format!("{number}@{}", at.to_rfc3339_opts(chrono::SecondsFormat::AutoSi, true))
    }

    fn submit_due(&mut self) {
        self.tracker().submit_due_occurrences().unwrap();
        self.models.iter_mut().for_each(|model| model.submit_due(self.now));
    }

    fn pass(&mut self, seconds: i64) {
        self.now += seconds;
        self.clock.advance(Duration::from_secs(seconds.unsigned_abs()));
    }

    /// Ends a running occurrence.
    fn end(&mut self, held: usize) {
        let (number, nominal, mut execution) = self.held.swap_remove(held);
        execution.succeed().unwrap();
        self.models[number].occurrences.insert(nominal, State::Ended);
    }

    /// Plays a random call. Returns its name.
    fn play(&mut self, random: &mut Random) -> &'static str {
        let number = random.below(self.models.len());
        let unfinished = self.models[number].unfinished();
        let name = number.to_string();
        match random.below(12) {
            0..4 => {
                self.pass([31, 211, 617, 2_003][random.below(4)]);
                self.submit_due();
                "pass"
            }
            4 => {
                while !self.held.is_empty() {
                    self.end(0);
                }
                let (tracker, jobs) = self.open.take().unwrap();
                drop(jobs);
                tracker.close().unwrap();
                self.pass([7, 1_009, 90_001][random.below(3)]);
                self.open();
                self.submit_due();
                "restart"
            }
            5 => {
                let schedule = self.tracker().schedule(&name).unwrap().unwrap();
                let pauses = !self.models[number].paused;
                if pauses { schedule.pause() } else { schedule.resume() }.unwrap();
                self.models[number].paused = pauses;
                self.submit_due();
                "pause or resume"
            }
            6 if self.now % PERIOD != 0 && !self.models[number].occurrences.contains_key(&self.now) => {
                self.tracker().schedule(&name).unwrap().unwrap().run_now().unwrap();
                self.models[number].submitted += 1;
                self.models[number].occurrences.insert(self.now, State::Waiting(Vec::new()));
                "run now"
            }
            7 | 8 if !self.held.is_empty() => {
                self.end(random.below(self.held.len()));
                "end"
            }
            9 if !unfinished.is_empty() => {
                let nominal = unfinished[random.below(unfinished.len())];
                if matches!(self.models[number].occurrences[&nominal], State::Waiting(_)) {
                    self.jobs().cancel(self.id(number, nominal)).unwrap();
                    self.models[number].occurrences.insert(nominal, State::Ended);
                }
                "cancel"
            }
            _ if !unfinished.is_empty() => {
                let nominal = unfinished[random.below(unfinished.len())];
                let long = StartOptions::new().lease(DAY * 300);
                let started = self.jobs().start_with(self.id(number, nominal), &long);
                assert_eq!(started.is_ok(), self.models[number].is_startable(nominal), "{:?}", started.err());
                if let Ok(execution) = started {
                    self.held.push((number, nominal, execution));
                    self.models[number].occurrences.insert(nominal, State::Running);
                }
                "start"
            }
            _ => "nothing",
        }
    }

    fn compare(&self) {
        let mut total = 0;
        for (number, model) in self.models.iter().enumerate() {
            let info = self.tracker().schedule(&number.to_string()).unwrap().unwrap().info().unwrap();
            let next = info.next.map(|next| (next - self.begin).num_seconds());
            assert_eq!(
                (info.submitted, info.missed, info.overlapped, info.failed, info.paused, next),
                (model.submitted, model.missed, model.overlapped, 0, model.paused, Some(model.next)),
                "{model:#?}"
            );
            total += model.occurrences.len();
            for nominal in model.unfinished() {
                let record = self.jobs().get(self.id(number, nominal)).unwrap().unwrap();
                let is_running = record.lease.is_some();
                let expected = model.occurrences[&nominal] == State::Running;
                assert_eq!(is_running, expected, "{nominal} of {model:#?}");
            }
        }
        let found: Vec<_> = self.jobs().query().fetch().unwrap().iter().map(|record| record.id.to_string()).collect();
        assert_eq!(found.len(), total, "{found:?}");
        let unfinished: usize = self.models.iter().map(|model| model.unfinished().len()).sum();
        let waiting = self.jobs().query().unfinished().total().unwrap();
        assert_eq!(waiting + self.held.len() as u64, unfinished as u64, "those that run have a lease");
    }
}

#[test]
fn random_calls_of_schedules_agree_with_the_model() {
    for seed in 0..super::setting_or("TRACKER_CASES", 12).into() {
        let (mut random, mut pair) = (Random::new(seed), Pair::new());
        for call in 0..120 {
            let played = pair.play(&mut random);
            println!("seed {seed}, call {call}: {played}");
            pair.compare();
        }
        let models = &pair.models;
        assert!(models.iter().any(|model| model.overlapped > 0) && models.iter().any(|model| model.missed > 0));
        sound(pair.tracker());
    }
}
