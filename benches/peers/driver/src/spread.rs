//! Median, spread and percentiles of a few numbers.

/// The median of numbers, and the distance between them.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Spread {
    pub median: f64,
    /// Half the distance from the least to the greatest, as a share of the median.
    pub half_range: f64,
}

impl Spread {
    /// Returns `None` without numbers.
    pub fn of(numbers: &[f64]) -> Option<Self> {
        let mut sorted = numbers.to_vec();
        sorted.sort_by(f64::total_cmp);
        let (least, greatest) = (*sorted.first()?, *sorted.last()?);
        let middle = sorted.len() / 2;
        let median =
            if sorted.len() % 2 == 1 { sorted[middle] } else { f64::midpoint(sorted[middle - 1], sorted[middle]) };
        let half_range = if median > 0.0 { (greatest - least) / 2.0 / median } else { 0.0 };
        Some(Self { median, half_range })
    }
}

/// The number that this share of the numbers does not exceed, or `None` without numbers.
pub fn percentile(numbers: &[f64], share: f64) -> Option<f64> {
    let mut sorted = numbers.to_vec();
    sorted.sort_by(f64::total_cmp);
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        clippy::cast_precision_loss,
        reason = "an index"
    )]
    let index = ((sorted.len().saturating_sub(1)) as f64 * share).round() as usize;
    sorted.get(index).copied()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn medians() {
        assert_eq!(Spread::of(&[]), None);
        assert_eq!(Spread::of(&[5.0]), Some(Spread { median: 5.0, half_range: 0.0 }));
        assert_eq!(Spread::of(&[30.0, 10.0, 20.0]), Some(Spread { median: 20.0, half_range: 0.5 }));
        assert_eq!(Spread::of(&[10.0, 20.0]).map(|spread| spread.median), Some(15.0));
    }

    #[test]
    fn percentiles() {
        let numbers: Vec<f64> = (0..=100).rev().map(f64::from).collect();
        assert_eq!(percentile(&numbers, 0.99), Some(99.0));
        assert_eq!(percentile(&[7.0], 0.99), Some(7.0));
        assert_eq!(percentile(&[], 0.5), None);
    }
}
