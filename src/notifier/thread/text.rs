//! Cuts texts for the states, which must stay small.

/// The longest ids, names and reasons that are stored, in bytes.
pub(super) const LONGEST_ID: usize = 320;
pub(super) const LONGEST_NAME: usize = 300;

/// The first bytes of a text, at most so many.
pub(super) fn cut(text: &str, most: usize) -> String {
    let mut end = text.len().min(most);
    while !text.is_char_boundary(end) {
        end -= 1;
    }
    text.get(..end).unwrap_or_default().to_owned()
}

pub(super) fn cut_known(text: Option<&str>, most: usize) -> Option<String> {
    text.map(|it| cut(it, most))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_text_is_cut_between_characters() {
        for (text, most, expected) in [
            ("prod-web", 20, "prod-web"),
            ("prod-web", 4, "prod"),
            ("größe", 3, "gr"),
            ("größe", 4, "grö"),
            ("", 4, ""),
        ] {
            assert_eq!(cut(text, most), expected, "{text} {most}");
        }
    }
}
