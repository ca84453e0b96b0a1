//! Encodes `ScheduleRow`. Used as `Encodable` by `storage/read/schedules` and `storage/write/retime`; pure.

use bincode::{Decode, Encode};

use super::Encodable;
use crate::model::schedule::{
    CatchUp, Overlap,
    row::{Counters, Definition, OCCURRENCES, ScheduleRow, Timing},
};

#[derive(Encode, Decode)]
pub(crate) struct EncodedSchedule {
    kind: u32,
    timing: EncodedTiming,
    jitter: i64,
    /// 0: skip. 1: latest. Otherwise one more than the largest number caught up.
    catch_up: u32,
    overlap: u8,
    template: Option<String>,
    anchor: i64,
    next: Option<i64>,
    paused: bool,
    /// Submitted, missed, overlapped, failed.
    counters: [u64; 4],
    last_error: Option<String>,
    recent: Vec<i64>,
    unfinished: Vec<i64>,
}

#[derive(Encode, Decode)]
enum EncodedTiming {
    Cron { expression: String, zone: String },
    Every(i64),
    Dates(Vec<i64>),
}

impl Encodable for ScheduleRow {
    type Encoded = EncodedSchedule;

    fn to_encoded(&self) -> EncodedSchedule {
        let Counters { submitted, missed, overlapped, failed } = self.counters;
        EncodedSchedule {
            kind: self.kind,
            timing: match self.definition.timing.clone() {
                Timing::Cron { expression, zone } => EncodedTiming::Cron { expression, zone },
                Timing::Every(period) => EncodedTiming::Every(period),
                Timing::Dates(dates) => EncodedTiming::Dates(dates),
            },
            jitter: self.definition.jitter,
            catch_up: match self.definition.catch_up {
                CatchUp::Skip => 0,
                CatchUp::Latest => 1,
                CatchUp::All { max } => max.saturating_add(1),
            },
            overlap: match self.definition.overlap {
                Overlap::Skip => 0,
                Overlap::QueueOne => 1,
                Overlap::CancelEarlier => 2,
            },
            template: self.template.clone(),
            anchor: self.anchor,
            next: self.next,
            paused: self.paused,
            counters: [submitted, missed, overlapped, failed],
            last_error: self.last_error.clone(),
            recent: self.recent.clone(),
            unfinished: self.unfinished.clone(),
        }
    }

    fn from_encoded(record: EncodedSchedule) -> Result<Self, &'static str> {
        let timing = match record.timing {
            EncodedTiming::Cron { expression, zone } => Timing::Cron { expression, zone },
            EncodedTiming::Every(period @ 1..) => Timing::Every(period),
            EncodedTiming::Every(_) => return Err("its interval is not positive"),
            EncodedTiming::Dates(dates) if dates.is_sorted() => Timing::Dates(dates),
            EncodedTiming::Dates(_) => return Err("its dates are out of order"),
        };
        let catch_up = match record.catch_up {
            0 => CatchUp::Skip,
            1 => CatchUp::Latest,
            more => CatchUp::All { max: more - 1 },
        };
        let overlap = match record.overlap {
            0 => Overlap::Skip,
            1 => Overlap::QueueOne,
            2 => Overlap::CancelEarlier,
            _ => return Err("its rule for overlaps is unknown"),
        };
        if record.recent.len() > OCCURRENCES || record.unfinished.len() > OCCURRENCES || record.jitter < 0 {
            return Err("it lists too many occurrences, or its jitter is negative");
        }
        let [submitted, missed, overlapped, failed] = record.counters;
        Ok(Self {
            kind: record.kind,
            definition: Definition { timing, jitter: record.jitter, catch_up, overlap },
            template: record.template,
            anchor: record.anchor,
            next: record.next,
            paused: record.paused,
            counters: Counters { submitted, missed, overlapped, failed },
            last_error: record.last_error,
            recent: record.recent,
            unfinished: record.unfinished,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_timing_and_rule_comes_back() {
        let cron = Timing::Cron { expression: "0 3 * * *".to_owned(), zone: "Europe/Berlin".to_owned() };
        for timing in [cron, Timing::Every(1), Timing::Dates(vec![-5, 0, 9])] {
            for catch_up in [CatchUp::Skip, CatchUp::Latest, CatchUp::All { max: 1 }, CatchUp::All { max: 100 }] {
                for overlap in [Overlap::Skip, Overlap::QueueOne, Overlap::CancelEarlier] {
                    let definition = Definition { timing: timing.clone(), jitter: 7, catch_up, overlap };
                    let row = ScheduleRow {
                        paused: true,
                        counters: Counters { submitted: 1, missed: 2, overlapped: 3, failed: 4 },
                        last_error: Some("no".to_owned()),
                        recent: vec![1, 2],
                        unfinished: vec![2],
                        ..ScheduleRow::new(5, definition, Some("{}".to_owned()), -3, Some(8))
                    };
                    assert_eq!(ScheduleRow::from_encoded(row.to_encoded()), Ok(row));
                }
            }
        }
    }

    #[test]
    fn values_that_no_schedule_has_are_refused() {
        let definition =
            Definition { timing: Timing::Every(1), jitter: 0, catch_up: CatchUp::Skip, overlap: Overlap::Skip };
        let good = || ScheduleRow::new(5, definition.clone(), None, 0, None).to_encoded();
        let wrong = [
            EncodedSchedule { timing: EncodedTiming::Every(0), ..good() },
            EncodedSchedule { timing: EncodedTiming::Dates(vec![2, 1]), ..good() },
            EncodedSchedule { overlap: 3, ..good() },
            EncodedSchedule { jitter: -1, ..good() },
            EncodedSchedule { recent: vec![0; OCCURRENCES + 1], ..good() },
        ];
        for record in wrong {
            assert!(ScheduleRow::from_encoded(record).is_err());
        }
        assert!(ScheduleRow::from_encoded(good()).is_ok());
    }
}
