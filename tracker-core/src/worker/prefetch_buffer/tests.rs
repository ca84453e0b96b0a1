#![expect(clippy::unwrap_used, reason = "a test fails by panicking")]

use super::*;
use crate::{
    Tracker,
    engine::{Claim, Register},
    model::{
        kind::KindSpec,
        new_task::NewTask,
        time::ManualClock,
        transition::{Header, Start},
    },
};

const MAY: Permissions = Permissions { begin: true, claim: true };
const TEN: Duration = Duration::from_micros(10);

/// A buffer, and a file from whose tasks it is filled. Its first kind is theirs.
pub(in crate::worker) struct Shop {
    pub tracker: Tracker,
    pub clock: ManualClock,
    pub kind: u32,
    pub buffer: Arc<PrefetchBuffer>,
}

impl Shop {
    pub(in crate::worker) fn new(slots: usize, ahead: usize, kinds: usize) -> Self {
        let clock = ManualClock::new();
        let tracker = Tracker::options().clock(clock.clone()).in_memory().unwrap();
        let spec = KindSpec::sample();
        let kind = tracker.shared.engine.call(Register { spec, id_type: None, values: |_| None }).unwrap().id;
        Self { tracker, clock, kind, buffer: PrefetchBuffer::new(slots, ahead, kinds, Arc::default()) }
    }

    fn next(&self) -> NextStep {
        self.buffer.next(0, MAY, false)
    }

    /// A visitor who has nothing to do falls asleep.
    fn sleep(&self) {
        assert!(matches!(self.buffer.next(0, Permissions { claim: false, ..MAY }, true), NextStep::Wait));
    }

    /// New tasks, claimed for a minute.
    pub(in crate::worker) fn goods(&self, number: usize) -> Claims {
        let engine = &self.tracker.shared.engine;
        for _ in 0..number {
            engine.call(NewTask::sample(self.kind, uuid::Uuid::new_v4())).unwrap();
        }
        let start = Start {
            step: 0,
            extra: Vec::new(),
            fence: 0,
            token: uuid::Uuid::nil(),
            worker: "one".to_owned(),
            instance: engine.instance(),
            lease: Duration::from_secs(60),
            by_line: true,
            steal_lease: false,
            force: false,
            reenter: None,
            begun: false,
            chance: 0.5,
        };
        let claim = Claim {
            kind: self.kind,
            start,
            most: number,
            begin: 0,
            ahead_bytes: usize::MAX,
            isolated: false,
            held: true,
        };
        engine.call(claim).unwrap()
    }

    /// A claim that asked for so many finds so many.
    fn claimed(&self, most: usize, found: usize, signal: u64) {
        self.buffer.claimed(&self.tracker.shared, 0, self.wanted(most), signal, Ok(self.goods(found)));
    }

    /// What the first claim has asked for that is on its way: the bytes are all its.
    fn wanted(&self, most: usize) -> Wanted {
        Wanted { most, bytes: self.buffer.state.lock().unwrap().buffers[0].asked_bytes }
    }

    fn ask(&self, signal: u64) -> Option<usize> {
        self.buffer.ask(0, signal).map(|wanted| wanted.most)
    }

    /// A shop with these many on its tray, for which the only visitor has asked.
    fn with(slots: usize, ahead: usize, found: usize) -> Self {
        let shop = Self::new(slots, ahead, 1);
        shop.buffer.enter(0);
        let NextStep::Claim(Wanted { most, .. }) = shop.next() else { panic!("nothing is there") };
        shop.claimed(most, found, 0);
        shop
    }

    fn begin(&self) -> Claimed {
        let NextStep::Begin(claimed) = self.next() else { panic!("there is a task and a place") };
        claimed
    }

    /// A body has run, and its outcome is not durable yet.
    fn run(&self, took: Option<Duration>) -> Claimed {
        let claimed = self.begin();
        self.end(took);
        claimed
    }

    fn end(&self, took: Option<Duration>) {
        self.buffer.hand_in(0);
        self.buffer.end(0, took);
    }

    fn answered(&self, claimed: &Claimed) {
        self.buffer.answered(&self.tracker.shared, 0, claimed.owner.fence, None);
    }

    /// Makes the buffer believe that bodies take ten microseconds.
    fn make_brisk(&self) {
        for _ in 0..20 {
            self.buffer.state.lock().unwrap().running += 1;
            self.buffer.state.lock().unwrap().buffers[0].running += 1;
            self.buffer.end(0, Some(TEN));
        }
        assert!(self.buffer.is_brisk());
    }

    /// How often news are told by this.
    fn told(&self, what: impl FnOnce()) -> u64 {
        let seen = self.buffer.news.seen();
        what();
        self.buffer.news.seen() - seen
    }

    pub(in crate::worker) fn headers(&self, claimed: &[Claimed]) -> Vec<Header> {
        let engine = &self.tracker.shared.engine;
        self.tracker.flush().unwrap();
        claimed.iter().map(|claimed| engine.read(|rows| rows.header(claimed.task)).unwrap().unwrap()).collect()
    }
}

#[test]
fn a_crew_works_ahead_where_each_of_its_kinds_has_a_share() {
    for (ahead, kinds, expected) in [(0, 1, false), (1, 1, true), (2, 3, false), (3, 3, true), (64, 2, true)] {
        assert_eq!(Shop::new(4, ahead, kinds).buffer.prefetches(), expected, "{ahead} ahead, {kinds} kinds");
    }
}

#[test]
fn never_more_is_claimed_than_runs_and_may_wait() {
    let shop = Shop::new(2, 3, 1);
    shop.buffer.enter(0);
    assert!(matches!(shop.next(), NextStep::Claim(Wanted { most: 4, .. })), "one at work and three ahead");
    assert!(matches!(shop.next(), NextStep::Wait), "all is asked for");
    shop.buffer.enter(0);
    assert!(matches!(shop.next(), NextStep::Claim(Wanted { most: 1, .. })), "a second visitor adds his own");
    shop.claimed(4, 4, 0);
    shop.claimed(1, 1, 0);
    let first = shop.begin();
    shop.begin();
    assert_eq!(shop.ask(0), None, "three wait");
    // What is handed in leaves its place: it is stored before the next claim.
    shop.end(None);
    shop.begin();
    shop.answered(&first);
    shop.end(None);
    shop.begin();
    assert_eq!(shop.ask(0), Some(2), "two run, and one waits");
    assert_eq!(shop.ask(0), None, "all is asked for again");
    shop.buffer.leave(0);
    shop.claimed(2, 0, 0);
    assert_eq!(shop.ask(1), Some(1), "two run, one waits, and a single visitor is left");
}

#[test]
fn never_more_bodies_have_run_than_a_crash_may_repeat() {
    // Where less is allowed ahead than run at once, each of these may have ended.
    for (slots, ahead, most) in [(1, 3, 3), (4, 2, 4)] {
        let shop = Shop::with(slots, ahead, 8);
        let ended: Vec<_> = (0..most).map(|_| shop.run(None)).collect();
        assert!(matches!(shop.next(), NextStep::Wait), "{most} outcomes are not on disk");
        shop.answered(&ended[0]);
        shop.begin();
        assert!(matches!(shop.next(), NextStep::Wait), "one that runs may end at any time");
    }
}

#[test]
fn buffer_refills_at_half_unless_the_last_claim_was_short() {
    let shop = Shop::with(1, 4, 5);
    for left in [4, 3] {
        shop.begin();
        assert_eq!(shop.ask(7), None, "{left} are left");
        shop.end(None);
    }
    shop.begin();
    assert_eq!(shop.ask(7), Some(2), "two are left, and one runs");
    shop.claimed(2, 1, 7);
    shop.end(None);
    shop.begin();
    assert_eq!(shop.ask(7), None, "the last claim came back short, and nothing was submitted since");
    assert_eq!(shop.ask(8), Some(2), "something was");
    shop.claimed(2, 2, 8);
    shop.buffer.end(0, None);
    shop.begin();
    assert_eq!(shop.ask(8), None, "three are left");
}

#[test]
fn thread_may_leave_when_the_rest_suffices_for_others() {
    let shop = Shop::with(2, 3, 2);
    assert!(shop.buffer.can_spare(0), "two may wait ahead, though nobody was left");
    shop.begin();
    shop.buffer.enter(0);
    assert_eq!(shop.ask(1), Some(3));
    assert!(!shop.buffer.can_spare(0), "one runs, one waits, three are to come: one too many for one visitor");
    shop.end(None);
    assert!(shop.buffer.can_spare(0), "one waits and three are to come: one to begin, three ahead");
}

#[test]
fn handlers_count_as_short_by_their_recent_times() {
    let shop = Shop::with(1, 80, 81);
    assert!(!shop.buffer.is_brisk(), "nothing is known");
    let bodies = |number: usize, took: Option<Duration>| {
        for _ in 0..number {
            let ended = shop.run(took);
            shop.answered(&ended);
        }
        let brisk = shop.buffer.hand_in(0);
        assert_eq!(brisk, shop.buffer.is_brisk());
        brisk
    };
    assert!(!bodies(5, Some(TEN)), "too few");
    assert!(bodies(25, Some(TEN)));
    assert!(bodies(1, Some(Duration::from_secs(60))));
    assert!(!bodies(3, Some(Duration::from_secs(60))), "they no longer are short");
    assert!(bodies(30, Some(TEN)));
    assert!(!bodies(5, None), "what no thread has run is not known to be short");
}

#[test]
fn free_place_wakes_one_thread_unless_one_returns_soon() {
    let shop = Shop::with(3, 8, 9);
    assert_eq!(shop.told(|| drop(shop.run(None))), 0, "nobody sleeps");
    shop.buffer.enter(0);
    shop.buffer.enter(0);
    shop.buffer.state.lock().unwrap().asleep = 2;
    assert_eq!(shop.told(|| drop(shop.run(None))), 1);
    let ended = shop.run(None);
    assert_eq!(shop.told(|| shop.answered(&ended)), 1);
    shop.make_brisk();
    let ended = shop.run(Some(TEN));
    assert_eq!(shop.told(|| shop.answered(&ended)), 0, "one is awake, and bodies are short");
    shop.buffer.state.lock().unwrap().asleep = 3;
    assert_eq!(shop.told(|| shop.buffer.tell_of_place(&shop.buffer.lock(), 0)), 1, "all sleep");
    let failed = Answer { ended: None, result: Err(crate::Error::closed()) };
    let told = shop.told(|| shop.buffer.answered(&shop.tracker.shared, 0, 0, Some(failed)));
    assert_eq!(told, 1, "an error is for somebody to hear");
}

#[test]
fn tasks_that_come_wake_as_many_as_have_enough_to_do() {
    for (brisk, found, asleep, expected) in [
        (false, 1, 3, 1), // All of them, at once.
        (false, 9, 0, 0),
        (true, 15, 2, 2),
        (true, 15, 3, 3),
        (true, 12, 4, 2),
        (true, 2, 3, 0),
        (true, 2, 4, 1), // Nobody else would begin them.
    ] {
        let shop = Shop::new(4, 16, 1);
        (0..4).for_each(|_| shop.buffer.enter(0));
        let NextStep::Claim(Wanted { most, .. }) = shop.next() else { panic!("nothing is there") };
        if brisk {
            shop.make_brisk();
            shop.buffer.state.lock().unwrap().pace = TEN;
        }
        (0..=asleep).for_each(|_| shop.sleep());
        shop.buffer.wake_up();
        let claims = shop.goods(found);
        let told = shop.told(|| shop.buffer.claimed(&shop.tracker.shared, 0, shop.wanted(most), 0, Ok(claims)));
        assert_eq!(told, expected, "{brisk} {found} {asleep}");
    }
}

#[test]
fn all_threads_wake_when_nothing_is_left() {
    let goods = Shop::new(1, 1, 1).goods(1).tasks;
    let tray = |ready: &[Claimed], asked, unsure| {
        let ready = ready.iter().cloned().collect();
        KindBuffer { ready, asked, unsure, running: 1, visitors: 2, ..KindBuffer::default() }
    };
    let all = |state: BufferState| state.concerns_all(0);
    let of = |tray| BufferState { buffers: vec![tray], ..BufferState::default() };
    assert!(all(of(tray(&[], 0, 0))), "nothing is left");
    assert!(!all(of(tray(&goods, 0, 0))), "a task waits");
    assert!(!all(of(tray(&[], 1, 0))), "a claim is on its way");
    assert!(!all(of(tray(&[], 0, 1))), "an outcome is on its way");
    assert!(all(BufferState { closed: true, ..of(tray(&goods, 0, 1)) }));
    assert!(all(BufferState { isolated_waits: true, ..of(tray(&goods, 0, 1)) }));
    assert!(
        all(BufferState { buffers: vec![tray(&goods, 0, 1), KindBuffer::default()], ..BufferState::default() }),
        "two kinds"
    );
}

#[test]
fn tasks_not_begun_are_released_at_the_end() {
    let shop = Shop::with(1, 4, 2);
    let begun = shop.begin();
    let waits: Vec<_> = shop.buffer.lock().buffers[0].ready.iter().cloned().collect();
    assert_eq!(shop.ask(1), Some(3));
    shop.buffer.close();
    let late = shop.goods(2);
    let brought = late.tasks.clone();
    shop.buffer.claimed(&shop.tracker.shared, 0, shop.wanted(3), 1, Ok(late));
    let leased = |claimed: &[Claimed]| -> Vec<_> {
        shop.headers(claimed).iter().map(|header| (header.lease.is_some(), header.attempts)).collect()
    };
    assert_eq!(leased(&waits), [(false, 0)]);
    assert_eq!(leased(&brought), [(false, 0); 2]);
    assert_eq!(leased(std::slice::from_ref(&begun)), [(true, 1)], "its body ends it, or its lease");
    let held = shop.tracker.shared.engine.held();
    let lives = |claimed: &Claimed| held.has(claimed.owner.fence);
    assert!(!lives(&begun) && !waits.iter().any(lives) && !brought.iter().any(lives), "nobody lives by them any more");
}

#[test]
fn a_lease_is_let_go_of_when_the_outcome_is_durable() {
    let shop = Shop::with(1, 4, 2);
    let held = shop.tracker.shared.engine.held();
    let ended = shop.run(None);
    assert!(held.has(ended.owner.fence));
    shop.answered(&ended);
    assert!(!held.has(ended.owner.fence) && held.has(shop.begin().owner.fence));
}

#[test]
fn bytes_ahead_belong_to_one_claim_until_it_is_answered() {
    let shop = Shop::new(4, 8, 1);
    shop.buffer.enter(0);
    shop.buffer.enter(0);
    let NextStep::Claim(first) = shop.next() else { panic!("nothing is there") };
    assert_eq!(first, Wanted { most: 10, bytes: AHEAD_BYTES });
    shop.buffer.enter(0);
    let NextStep::Claim(second) = shop.next() else { panic!("a third visitor has come") };
    assert_eq!(second, Wanted { most: 1, bytes: 0 });
    let mut claims = shop.goods(2);
    claims.is_cut = true;
    claims.tasks.iter_mut().for_each(|claimed| claimed.body.payload = vec![0; AHEAD_BYTES / 4 + 1]);
    shop.buffer.claimed(&shop.tracker.shared, 0, first, 0, Ok(claims));
    assert_eq!(shop.ask(0), None, "more than half of the bytes are there");
    drop(shop.begin());
    let wanted = shop.buffer.ask(0, 0).unwrap();
    assert_eq!(
        wanted.bytes,
        AHEAD_BYTES - AHEAD_BYTES / 4 - 1,
        "cut claims are not dry, and a begun task frees its bytes"
    );
}
