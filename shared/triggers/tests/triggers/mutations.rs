//! Whatever a file holds, loading ends with findings.

use launchgate_triggers::render;
use proptest::prelude::*;

use crate::the_file::{YAML, load_text};

fn load_and_render(text: &str) {
    let loaded = load_text(text);
    assert!(loaded.config.is_some() || !loaded.findings.is_empty());
    render(text, &loaded.findings);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn a_file_with_a_piece_replaced_never_panics(
        at in 0..YAML.len(), length in 0_usize..40, piece in "(\\PC|\n| |: |- |\\$\\{|\\}|!|\\*|&a|\\[|\\{|null|1e9|'|\"){0,6}"
    ) {
        let end = (at + length).min(YAML.len());
        load_and_render(&format!("{}{piece}{}", &YAML[..at], &YAML[end..]));
    }

    #[test]
    fn a_file_with_a_line_changed_never_panics(line in 0_usize..53, new in "[ a-zA-Z0-9:{}\\[\\]$!*'\",.-]{0,40}") {
        let lines: Vec<&str> = YAML.lines().enumerate().map(|(n, old)| if n == line { new.as_str() } else { old }).collect();
        load_and_render(&lines.join("\n"));
    }

    #[test]
    fn any_text_never_panics(text in "\\PC{0,200}") {
        load_and_render(&text);
    }
}

#[test]
fn hostile_yaml_is_refused_quickly() {
    let bomb: String = std::iter::once("a0: &a0 [x]\n".to_owned())
        .chain((1..40).map(|n| format!("a{n}: &a{n} [*a{0}, *a{0}, *a{0}]\n", n - 1)))
        .collect();
    for text in [
        bomb,
        "[".repeat(100_000),
        "{a: ".repeat(5_000),
        "- ".repeat(50_000),
        "\u{0}".to_owned(),
        "\u{feff}".to_owned(),
    ] {
        load_and_render(&text);
    }
}
