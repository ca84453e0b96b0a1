//! Every due set of small schedules against a plain list, and every case of the overlap rule.

use super::*;

const MINUTE: Micros = 60_000_000;

/// Fixed nominal times with a delay each.
struct Listed(Vec<(Micros, Micros)>);

impl Times for Listed {
    fn next(&self, after: Micros) -> Option<Micros> {
        self.0.get(self.0.partition_point(|(time, _)| *time <= after)).map(|(time, _)| *time)
    }

    fn start_of(&self, nominal: Micros) -> Micros {
        let delay = self.0.binary_search_by_key(&nominal, |(time, _)| *time).map_or(0, |at| self.0[at].1);
        nominal + delay
    }
}

/// An occurrence each second, without an end.
struct EachSecond;

impl Times for EachSecond {
    fn next(&self, after: Micros) -> Option<Micros> {
        Some((after.div_euclid(1_000_000) + 1) * 1_000_000)
    }

    fn start_of(&self, nominal: Micros) -> Micros {
        nominal
    }
}

const CATCH_UPS: [CatchUp; 5] =
    [CatchUp::Skip, CatchUp::Latest, CatchUp::All { max: 1 }, CatchUp::All { max: 3 }, CatchUp::All { max: 100 }];

/// The documented rule, over a whole list.
fn expected(position: Micros, catch_up: CatchUp, now: Micros, times: &Listed) -> Option<Due> {
    let starts = |time: &Micros| times.start_of(*time);
    let rest: Vec<_> = times.0.iter().map(|(time, _)| *time).filter(|time| *time >= position).collect();
    let started: Vec<_> = rest.iter().copied().take_while(|time| starts(time) <= now).collect();
    let next = rest.get(started.len()).copied();
    let nominal: Vec<_> = match catch_up {
        CatchUp::Skip => started.last().copied().filter(|last| now - starts(last) <= GRACE).into_iter().collect(),
        CatchUp::Latest => started.last().copied().into_iter().collect(),
        CatchUp::All { max } => started.iter().rev().take(max as usize).rev().copied().collect(),
    };
    let missed = (started.len().min(OCCURRENCES).saturating_sub(nominal.len())) as u64;
    (!started.is_empty()).then_some(Due { nominal, missed, next })
}

#[test]
fn due_occurrences_follow_the_rule_at_every_position_and_time() {
    let lists = [
        vec![(10 * MINUTE, 0)],
        vec![(0, 0), (MINUTE / 3, 0), (MINUTE / 2, 0), (5 * MINUTE, 0), (6 * MINUTE, 0), (9 * MINUTE, 0)],
        vec![(0, 30), (MINUTE, MINUTE / 2), (2 * MINUTE, 0), (3 * MINUTE, MINUTE - 1), (4 * MINUTE, 5)],
        (0..130).map(|minute| (minute * MINUTE, minute % 7)).collect::<Vec<_>>(),
    ];
    let mut cases = 0;
    for list in lists.map(Listed) {
        let moments = list.0.iter().flat_map(|(time, delay)| [time + delay - 1, time + delay, time + delay + 1]);
        let moments = moments.chain(list.0.iter().map(|(time, delay)| time + delay + GRACE)).chain([500 * MINUTE]);
        for now in moments {
            for (position, _) in list.0.iter().step_by(list.0.len() / 10 + 1) {
                for catch_up in CATCH_UPS {
                    let due = due(Some(*position), catch_up, now, &list);
                    assert_eq!(due, expected(*position, catch_up, now, &list), "{catch_up:?} at {now} from {position}");
                    cases += 1;
                }
            }
        }
    }
    assert!(cases > 20_000, "{cases}");
    assert_eq!(due(None, CatchUp::Latest, MINUTE, &EachSecond), None);
}

#[test]
fn years_of_missed_seconds_are_caught_up_without_a_walk() {
    let second = 1_000_000;
    let now = 30 * 365 * 86_400 * second + 400_000;
    let at = now / second * second;
    for (catch_up, count) in [(CatchUp::Skip, 1), (CatchUp::Latest, 1), (CatchUp::All { max: 100 }, 100)] {
        let due = due(Some(second), catch_up, now, &EachSecond).map(|due| (due.nominal, due.missed, due.next));
        let nominal: Vec<_> = (0..count).map(|back| at - (count - 1 - back) * second).collect();
        let missed = 100 - nominal.len() as u64;
        assert_eq!(due, Some((nominal, missed, Some(at + second))), "{catch_up:?}");
    }
}

#[test]
fn admission_of_every_overlap_state_and_number_is_documented() {
    for due in [0, 1, 3] {
        for overlap in [Overlap::Skip, Overlap::QueueOne, Overlap::CancelEarlier] {
            let free = Admission { count: due, cancels: false, waits: false };
            assert_eq!(admit(overlap, 0, due), free, "{overlap:?}");
        }
        for unfinished in [1, 2, 100] {
            assert_eq!(admit(Overlap::Skip, unfinished, due).count, 0);
            let queued = admit(Overlap::QueueOne, unfinished, due);
            let count = if unfinished == 1 { due.min(1) } else { 0 };
            assert_eq!((queued.count, queued.cancels), (count, false));
            assert!(queued.count == 0 || queued.waits);
            let cancelling = admit(Overlap::CancelEarlier, unfinished, due);
            assert_eq!(cancelling, Admission { count: due, cancels: due > 0, waits: true });
        }
    }
}
