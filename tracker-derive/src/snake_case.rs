//! Converts names of structs into names of kinds. Called by `task/check`; pure.

/// Converts `HttpDownload` and `HTTPDownload` to `http_download`.
pub(crate) fn of(name: &str) -> String {
    let letters: Vec<char> = name.chars().collect();
    let mut snake = String::new();
    for (at, letter) in letters.iter().enumerate() {
        let before = at.checked_sub(1).and_then(|at| letters.get(at));
        let after = letters.get(at + 1);
        let starts_word = letter.is_uppercase()
            && before.is_some_and(|before| {
                before.is_lowercase()
                    || before.is_numeric()
                    || (before.is_uppercase() && after.is_some_and(|c| c.is_lowercase()))
            });
        if starts_word {
            snake.push('_');
        }
        snake.extend(letter.to_lowercase());
    }
    snake
}

#[cfg(test)]
mod tests {
    use super::of;

    #[test]
    fn words_are_separated_by_case() {
        let cases = [
            ("Download", "download"),
            ("HttpDownload", "http_download"),
            ("HTTPDownload", "http_download"),
            ("Sha256Sum", "sha256_sum"),
            ("already_snake", "already_snake"),
            ("Job_Part", "job_part"),
            ("ÉtéJob", "été_job"),
        ];
        for (name, expected) in cases {
            assert_eq!(of(name), expected);
        }
    }
}
