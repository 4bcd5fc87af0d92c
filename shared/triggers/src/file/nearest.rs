//! The name that was probably meant.

/// The nearest of the known names; `None` when none is near enough to be a slip.
pub(crate) fn nearest<'a>(found: &str, known: &[&'a str]) -> Option<&'a str> {
    let bare = |text: &str| {
        text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_ascii_lowercase()
    };
    let wanted = bare(found);
    let score = |name: &str| strsim::normalized_damerau_levenshtein(&wanted, &bare(name));
    known
        .iter()
        .map(|name| (score(name), *name))
        .filter(|(score, _)| *score >= 0.6)
        .max_by(|(left, _), (right, _)| left.total_cmp(right))
        .map(|(_, name)| name)
}
