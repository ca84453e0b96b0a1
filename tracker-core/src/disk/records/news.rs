use super::kind::{role_code, role_of};
use crate::rules::{News, Otherwise};

/// The number of a choice on disk. Stable.
pub(crate) fn otherwise_code(otherwise: Otherwise) -> u8 {
    match otherwise {
        Otherwise::Wait => 0,
        Otherwise::Skip => 1,
        Otherwise::Cancel => 2,
        Otherwise::Run => 3,
    }
}

pub(crate) fn otherwise_of(code: u8) -> Result<Otherwise, &'static str> {
    Otherwise::ALL.into_iter().find(|choice| otherwise_code(*choice) == code).ok_or("its choice is unknown")
}

const DONE: u8 = 0;
const GONE: u8 = 1;
const MISSED: u8 = 16;

/// The number of news on disk. Stable.
pub(crate) fn news_code(news: News) -> u8 {
    match news {
        News::Done => DONE,
        News::Gone => GONE,
        News::Missed(role) => MISSED + role_code(role),
    }
}

pub(crate) fn news_of(code: u8) -> Result<News, &'static str> {
    match code {
        DONE => Ok(News::Done),
        GONE => Ok(News::Gone),
        MISSED.. => role_of(code - MISSED).map(News::Missed),
        _ => Err("its news are unknown"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::status::Role;

    #[test]
    fn news_and_choices_come_back_from_their_numbers() {
        let all = Role::ALL.map(News::Missed).into_iter().chain([News::Done, News::Gone]);
        for news in all {
            assert_eq!(news_of(news_code(news)), Ok(news));
        }
        for choice in Otherwise::ALL {
            assert_eq!(otherwise_of(otherwise_code(choice)), Ok(choice));
        }
        assert!(news_of(2).is_err() && news_of(15).is_err() && news_of(u8::MAX).is_err() && otherwise_of(4).is_err());
    }
}
