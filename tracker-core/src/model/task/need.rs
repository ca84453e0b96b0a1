//! `Need` states how much of a named resource a task of a kind needs. Plain data in `Policy`, stored by `storage/encoding/kind`, read by
//! `model/kind` and `model/needs`. `amount_of_value` reads the amount of a field from its encoded index, and rounds it up to few different amounts.

use std::borrow::Cow;

use serde::{Deserialize, Serialize};

use super::id::{TAG_INT, decode_int};

/// How much of a resource each task of a kind needs while it is in progress.
///
/// Claims start a task only if its needs fit into the budgets: see [`Policy::needs`](super::Policy::needs).
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Need {
    /// The name of the resource. 1 to 128 bytes.
    pub resource: Cow<'static, str>,
    /// How much of the resource a task needs.
    pub amount: NeededAmount,
}

/// The amount of a need.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[non_exhaustive]
pub enum NeededAmount {
    /// A fixed amount for each task of the kind. At least 1.
    Fixed(u64),
    /// The value of this indexed field, an unsigned integer or an `Option` of one; `None` needs nothing. It counts rounded up to three
    /// significant binary digits, so by less than a quarter too high: 1, 2, …, 8, 10, 12, 14, 16, 20, …
    Field(Cow<'static, str>),
}

/// A type of a field that can hold an amount of a need.
#[doc(hidden)]
#[diagnostic::on_unimplemented(
    message = "`{Self}` cannot be the amount of a need",
    label = "not an unsigned integer: `u8`, `u16`, `u32` or `u64`, or an `Option` of one"
)]
pub trait AmountField {}

impl AmountField for u8 {}
impl AmountField for u16 {}
impl AmountField for u32 {}
impl AmountField for u64 {}
impl<T: AmountField> AmountField for Option<T> {}

/// The amount in an encoded value of an index, rounded up. [`u64::MAX`], which no budget allows, if the value is not an unsigned integer.
pub(crate) fn amount_of_value(value: &[u8]) -> u64 {
    let amount = match value {
        [0] => Some(0),
        [1, TAG_INT, integer @ ..] | [TAG_INT, integer @ ..] => {
            decode_int(integer).and_then(|amount| u64::try_from(amount).ok())
        }
        _ => None,
    };
    amount.map_or(u64::MAX, rounded_up)
}

/// Rounds up to a number with at most three significant binary digits. So there are few different amounts: at most four per power of two.
fn rounded_up(amount: u64) -> u64 {
    let dropped = (u64::BITS - amount.leading_zeros()).saturating_sub(3);
    let unit = 1_u64 << dropped;
    amount.checked_add(unit - 1).map_or(u64::MAX, |raised| raised & !(unit - 1))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::task::IndexValue;

    #[test]
    fn rounded_amount_is_less_than_a_quarter_higher() {
        let numbers = (0..10_000).chain((0..64).flat_map(|bit| [(1_u64 << bit) - 1, 1 << bit, (1 << bit) + 1]));
        for amount in numbers.chain([u64::MAX - 1, u64::MAX]) {
            let rounded = rounded_up(amount);
            assert!(rounded >= amount && rounded - amount <= amount / 4, "{amount} {rounded}");
            assert!(rounded == u64::MAX || rounded_up(rounded) == rounded, "{amount}");
        }
        let steps: std::collections::BTreeSet<_> = (1..=64).map(rounded_up).collect();
        assert_eq!(
            steps.into_iter().collect::<Vec<_>>(),
            [1, 2, 3, 4, 5, 6, 7, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64]
        );
    }

    #[test]
    fn amounts_are_read_from_encoded_fields() {
        assert_eq!(amount_of_value(&5_u8.encoded()), 5);
        assert_eq!(amount_of_value(&0_u64.encoded()), 0);
        assert_eq!(amount_of_value(&9_u64.encoded()), 10);
        assert_eq!(amount_of_value(&u64::MAX.encoded()), u64::MAX);
        assert_eq!(amount_of_value(&Some(4_u32).encoded()), 4);
        assert_eq!(amount_of_value(&None::<u32>.encoded()), 0);
        for other in [(-1_i64).encoded(), "4".encoded(), Some("4").encoded(), Vec::new()] {
            assert_eq!(amount_of_value(&other), u64::MAX, "{other:?}");
        }
    }
}
