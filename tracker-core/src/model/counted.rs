//! `counted` returns a number with its noun, for messages ("1 task", "2 tasks"). Called by `model/error`, `model/transition` and
//! `storage/read/schema`; pure.

/// A number with its noun in the singular or the plural: `1 task`, `2 tasks`.
pub(crate) fn counted(number: impl Into<u64>, one: &str, many: &str) -> String {
    let number = number.into();
    format!("{number} {}", if number == 1 { one } else { many })
}

#[cfg(test)]
mod tests {
    use super::counted;

    #[test]
    fn noun_agrees_with_its_number() {
        let texts = [0_u64, 1, 2].map(|number| counted(number, "task", "tasks"));
        assert_eq!(texts, ["0 tasks", "1 task", "2 tasks"]);
    }
}
