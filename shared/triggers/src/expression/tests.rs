#![allow(clippy::unwrap_used)]

use proptest::prelude::*;
use serde_json::{Value, json};

use super::*;
use crate::scope::tests::an_event;

fn evaluate(source: &str) -> Result<Value, ExpressionError> {
    Expression::compile(source)?.evaluate(&an_event().scope())
}

/// The part of the source that a refusal points at, and the refusal.
fn refused(source: &str) -> (String, ExpressionError) {
    let error = Expression::compile(source).unwrap_err();
    (source[error.at.clone()].to_owned(), error)
}

#[test]
fn values_keep_their_types() {
    for (source, value) in [
        ("build.number + 1", json!(43)),
        ("artifact.annotations.size * 2", json!(246)),
        ("artifact.annotations.ratio + 0.5", json!(1.0)),
        ("artifact.annotations.big", json!(u64::MAX)),
        ("artifact.annotations.none", json!(null)),
        ("artifact.annotations.none == null", json!(true)),
        ("{'a': [build.branch, 1u, 2.0]}", json!({"a": ["main", 1, 2.0]})),
        ("artifact.annotations.list[2].c", json!(1)),
        ("artifact.annotations['list'][0]", json!("a")),
        ("provenance.buildDefinition.resolvedDependencies[0].uri", json!("git+x")),
        ("event.id.startsWith('ev-') && artifact.sha256.size() == 64", json!(true)),
        ("claimed.build.tag", json!("v1")),
        ("size(artifact.annotations.map)", json!(1)),
    ] {
        assert_eq!(evaluate(source), Ok(value), "{source}");
    }
}

#[test]
fn an_absent_fact_is_a_missing_member() {
    assert_eq!(evaluate("has(build.tag)"), Ok(json!(false)));
    assert_eq!(evaluate("has(build.branch) && has(claimed.build.tag)"), Ok(json!(true)));
    assert_eq!(evaluate("has(artifact.annotations.x) ? 1 : 2"), Ok(json!(2)));
    assert_eq!(evaluate("artifact.annotations.?x.orValue('d')"), Ok(json!("d")));
    assert_eq!(evaluate("artifact.annotations.?dataset.orValue('d')"), Ok(json!("2026-11")));
    assert_eq!(evaluate("build.tag == 'x' || true"), Ok(json!(true)));
}

#[test]
fn a_missing_value_is_an_error_that_names_the_path_and_what_is_there() {
    for source in ["build.tag", "build.tag + 'x'", "'x' + string(build.tag)", "[build.tag]"] {
        let error = evaluate(source).unwrap_err();
        assert_eq!(
            error.message,
            "`build.tag` has no value: the trigger's signers do not vouch for it; `build` has pipeline, number, branch, source",
            "{source}"
        );
        assert_eq!(&source[error.at], "build.tag");
        assert!(error.fix.unwrap().contains("claimed.build.tag"));
    }
    let error = evaluate("artifact.annotations.map.w + 'x'").unwrap_err();
    assert_eq!(
        error.message,
        "`artifact.annotations.map.w` has no value: the event does not have it; `artifact.annotations.map` has x"
    );
    let error = evaluate("artifact.annotations.map[build.branch]").unwrap_err();
    assert_eq!(error.message, "there is no member `main`");
}

#[test]
fn names_are_checked_when_the_file_is_read() {
    for (source, at, fix) in [
        ("bild.branch", "bild", Some("did you mean `build`?")),
        ("'ü' + build.brunch", "brunch", Some("did you mean `branch`?")),
        ("build . brunch", "brunch", Some("did you mean `branch`?")),
        ("build['brunch']", "brunch", Some("did you mean `branch`?")),
        ("has(build.brunch)", "brunch", Some("did you mean `branch`?")),
        ("build.?brunch", "brunch", Some("did you mean `branch`?")),
        ("claimed.branch", "branch", Some("known are build")),
        ("claimed.build.pull", "pull", None),
        ("artifact.url", "url", Some("did you mean `uri`?")),
        ("event.ids", "ids", Some("did you mean `id`?")),
        ("build.branch.x", "x", None),
        ("labelsafe(build.branch)", "labelsafe", Some("did you mean `labelSafe`?")),
        ("build.branch.startWith('x')", "startWith", Some("did you mean `startsWith`?")),
        ("math.flor(1.5)", "flor", Some("did you mean `math.floor`?")),
        ("now()", "now", None),
        ("timestamp('2026-11-25T00:00:00Z')", "timestamp", None),
        ("lists.range(1000000)", "range", None),
        ("[1].map(x)", "map", None),
        ("[1].all(x, y == 1)", "y", None),
    ] {
        let (pointed, error) = refused(source);
        assert_eq!(pointed, at, "{source}: {error}");
        if fix.is_some() {
            assert_eq!(error.fix.as_deref(), fix, "{source}");
        }
    }
    let (_, error) = refused("claimed.build.pull");
    assert!(error.message.contains("member of `claimed.build`"));
}

#[test]
fn what_does_not_parse_says_where() {
    for (source, at, message) in [
        ("build.branch ==", "", "the expression ends too early"),
        ("build branch", "b", "unexpected `branch`"),
        ("'ü' == )", ")", "unexpected `)`"),
        ("1 +\n  ) 2", ")", "unexpected `)`"),
        ("'abc", "'", "`'abc` is nothing that CEL knows; is a quote missing?"),
        ("", "", "the expression is empty"),
        ("99999999999999999999", "9", "invalid int literal"),
    ] {
        let (pointed, error) = refused(source);
        assert_eq!((pointed.as_str(), error.message.as_str()), (at, message), "{source:?}");
    }
}

#[test]
fn what_could_run_long_is_refused() {
    let sum = |terms: usize| vec!["1"; terms].join("+");
    let brackets = |levels: usize| format!("{}1{}", "(".repeat(levels), ")".repeat(levels));
    assert!(Expression::compile(&sum(30)).is_ok());
    assert!(Expression::compile(&brackets(12)).is_ok());
    assert!(Expression::compile(&format!("build.branch{}", ".replace('/', '-')".repeat(8))).is_ok());
    for source in [
        "artifact.annotations.list.map(x, x + build.branch)",
        "artifact.annotations.list.join(build.branch)",
        "build.branch.split('/').map(x, x + x)",
        "optional.of(build.branch).optMap(x, x + x)",
    ] {
        assert!(Expression::compile(source).is_ok(), "{source}");
    }
    for source in [
        "x".repeat(4097),
        sum(60),
        sum(1000),
        brackets(13),
        brackets(2000),
        "[1].all(x, [2].all(y, x == y))".to_owned(),
        "[1].map(x, 'a'.split(''))".to_owned(),
        "'a'.matches(build.branch)".to_owned(),
        "matches('a', 'b' + 'c')".to_owned(),
        format!("build.branch{}", ".replace('a', 'aa')".repeat(9)),
        format!("build.branch{}", ".replace('a', 'aaaaaaaaaaaaaaaa')".repeat(4)),
        "build.branch.replace('a', build.source)".to_owned(),
        "build.branch.split('').join(build.source)".to_owned(),
        "build.branch.split('').map(x, x + artifact.name)".to_owned(),
        "artifact.annotations.list.map(x, x + build.branch).map(x, x + build.branch)".to_owned(),
        "artifact.annotations.list.map(x, x + build.branch + build.commit + build.step + build.job)"
            .to_owned(),
        format!("optional.of(build.branch){}", ".optMap(x, x + x + x + x + x)".repeat(4)),
        format!("[build.branch]{}", ".map(x, x + x + x + x + x)".repeat(6)),
        "Message{a: 1}".to_owned(),
    ] {
        assert!(Expression::compile(&source).is_err(), "{source}");
    }
    let (at, error) = refused("build.branch.matches('[')");
    assert_eq!(at, "'['");
    assert!(error.message.contains("cannot be read"), "{error}");
    assert_eq!(evaluate(r"build.branch.matches('^m[a\\x69]+n$')"), Ok(json!(true)));
}

#[test]
fn too_much_to_compute_with_can_be_passed_on_whole() {
    assert_eq!(evaluate("artifact.annotations.long").unwrap().as_array().unwrap().len(), 1001);
    assert_eq!(evaluate("artifact.annotations.text").unwrap().as_str().unwrap().len(), 20_000);
    for source in [
        "artifact.annotations.long.all(x, x == 1)",
        "size(artifact.annotations.long)",
        "1 in artifact.annotations.long",
        "artifact.annotations.text.contains('x')",
        "artifact.annotations.text + 'x'",
        "[artifact.annotations.long]",
    ] {
        let error = evaluate(source).unwrap_err();
        assert!(error.message.contains("1000 items"), "{source}: {error}");
    }
}

#[test]
fn reads_are_full_paths_and_macro_variables_are_none() {
    let reads = |source: &str| {
        let paths = Expression::compile(source).unwrap().reads();
        paths.iter().map(|path| path.join(".")).collect::<Vec<_>>()
    };

    assert_eq!(
        reads("build.branch == 'x' && has(artifact.annotations.a.b)"),
        ["build.branch", "artifact.annotations.a.b"]
    );
    assert_eq!(reads("build['branch'] + build[event.id]"), ["build.branch", "build", "event.id"]);
    assert_eq!(
        reads("artifact.annotations.list.all(build, build.brunch == 1)"),
        ["artifact.annotations.list"]
    );
    assert_eq!(reads("artifact.?annotations.?x.orValue(1)"), ["artifact.annotations.x"]);
    assert_eq!(reads("provenance.a[0].b"), ["provenance.a"]);
    assert_eq!(reads("math.greatest(1, build.number)"), ["build.number"]);
    assert_eq!(reads("type(build.number) == int"), ["build.number"]);
    assert_eq!(reads("[3, 1].sortBy(x, -x)"), Vec::<String>::new());
}

#[test]
fn our_functions_work_in_both_spellings() {
    assert_eq!(evaluate("labelSafe('Feature/X') + 'A'.labelSafe()"), Ok(json!("feature-xa")));
    assert_eq!(evaluate("glob('a/b', 'a/*') && 'main'.glob('ma*') && !'a/b/c'.glob('a/*')"), Ok(json!(true)));
    assert!(evaluate("'a'.glob('')").unwrap_err().message.contains("glob"));
}

/// The rows `| `EXPRESSION` | `JSON` |` of the reference.
#[test]
fn every_example_of_the_reference_has_the_value_that_stands_beside_it() {
    let reference = include_str!("../../../../docs/triggers.md");
    let (_, table) = reference.split_once("| expression | value |\n|---|---|\n").unwrap();
    let rows: Vec<_> = table.lines().take_while(|line| line.starts_with('|')).collect();
    assert!(rows.len() >= 20, "{}", rows.len());
    for row in rows {
        let row = row.strip_prefix("| `").and_then(|row| row.strip_suffix("` |")).unwrap();
        let (source, value) = row.split_once("` | `").unwrap();
        let value: Value = serde_json::from_str(value).unwrap();
        // A bar in a table of Markdown is escaped, in code as well.
        assert_eq!(evaluate(&source.replace("\\|", "|")), Ok(value), "{source}");
    }
}

#[test]
fn versions_are_compared_by_the_rules_of_semver() {
    for (source, holds) in [
        ("semverAtLeast('1.10.0', '1.9.9')", true),
        ("'v1.2.0'.semverAtLeast('1.2.0')", true),
        ("semverAtLeast('1.2.0-rc.1', '1.2.0')", false),
        ("semverAtLeast('1.2.0+a', '1.2.0+b')", true),
        ("'1.5.2'.semverMatches('>=1.2, <2')", true),
        ("semverMatches('2.0.0', '^1.2')", false),
        ("semverMatches('2.0.0-rc.1', '>=1')", false),
        ("isSemver(claimed.build.tag) || isSemver('1.2') || ''.isSemver()", false),
        ("isSemver('v1.2.3') && !isSemver(build.branch)", true),
    ] {
        assert_eq!(evaluate(source), Ok(json!(holds)), "{source}");
    }
    let error = evaluate("semverAtLeast(build.branch, '1.0.0')").unwrap_err();
    assert_eq!(error.message, "semverAtLeast: expected a version such as 1.2.3, found `main`");
    let long = evaluate(
        "semverAtLeast('1.0.0-' + artifact.sha256 + artifact.sha256 + artifact.sha256 + artifact.sha256, '1.0.0')",
    );
    assert!(long.unwrap_err().message.starts_with("semverAtLeast: expected a version"));
    for (source, at) in [
        ("semverAtLeast(build.branch, '1.0')", "'1.0'"),
        ("build.branch.semverMatches('>=x')", "'>=x'"),
        ("build.branch.semverMatches('')", "''"),
    ] {
        assert_eq!(refused(source).0, at, "{source}");
    }
}

#[test]
fn what_is_certain_to_fail_is_refused_when_the_file_is_read() {
    for (source, message) in [
        ("build.number == '5'", "a whole number is compared with text, which never holds"),
        ("'5' != build.number", "text is compared with a whole number, which always holds"),
        ("!(artifact.name == 5)", "text is compared with a whole number, which never holds"),
        ("build.branch > 3", "text has no order with a whole number"),
        ("'n-' + build.number", "text and a whole number cannot be added"),
        ("build.branch * 2", "text is given to a calculation"),
        ("build.number && true", "expected a condition, found a whole number"),
        ("build.branch ? 1 : 2", "expected a condition before `?`, found text"),
        ("'a' in build.branch", "expected a list or mapping after `in`, found text"),
        ("labelSafe(build.number)", "`labelSafe` takes text, found a whole number"),
        ("claimed.build.number.startsWith('4')", "`startsWith` takes text, found a whole number"),
        ("size(build.branch) == 'x'", "a whole number is compared with text, which never holds"),
        ("[build.number == '5']", "a whole number is compared with text, which never holds"),
    ] {
        assert_eq!(refused(source).1.message, message, "{source}");
    }
}

#[test]
fn what_may_hold_for_some_event_is_not_refused() {
    for source in [
        "artifact.annotations.size == '5' || artifact.annotations.size == 5",
        "build.number == 5.0 && build.number < 5u",
        "build.branch == null",
        "artifact.annotations.x + build.branch",
        "artifact.annotations.list.exists(build, build.number == '5')",
        "has(build.tag) ? build.tag : build.number",
        "build.branch in artifact.annotations || build.branch in ['a']",
        "math.greatest(build.number, 2) == 2",
        "strings.quote(build.branch) == 'x'",
        "type(build.number) == int",
        "build.pullRequest == 7 || build.pullRequest == '7'",
        "optional.of(build.number).orValue('x') == 'x'",
        "(build.number > 3 ? 'a' : 'b') == 'a'",
        "build[artifact.name] == 3",
    ] {
        let found = Expression::compile(source);
        assert!(found.is_ok(), "{source}: {found:?}");
    }
    let certain = |source: &str| Expression::compile(source).unwrap().certain_type();
    assert_eq!(certain("build.branch == 'main' && !has(build.tag)"), Some(Type::Bool));
    assert_eq!((certain("build.branch"), certain("build.number + 1")), (Some(Type::Text), Some(Type::Int)));
    assert_eq!((certain("artifact.annotations.x"), certain("[1].exists(x, x == 1)")), (None, None));
}

#[test]
fn every_function_that_is_suggested_exists() {
    for name in environment::FUNCTIONS {
        let called = if name.contains('.') || environment::MACROS.contains(&name) { continue } else { name };
        let program = environment::ENVIRONMENT.compile(&format!("1.5.{called}([])")).unwrap();
        let error = program.execute(&Context::with_env(environment::ENVIRONMENT.clone())).unwrap_err();
        let global = environment::ENVIRONMENT.compile(&format!("{called}([], 1.5, [])")).unwrap();
        let other = global.execute(&Context::with_env(environment::ENVIRONMENT.clone())).unwrap_err();
        let undeclared = |error: &ExecutionError| matches!(error, ExecutionError::UndeclaredReference(_));
        assert!(!undeclared(&error) || !undeclared(&other), "{name}: {error} {other}");
    }
    for source in [
        "math.ceil(1.2)",
        "math.least(1, 2)",
        "strings.quote('a')",
        "optional.of(1).value()",
        "'%s'.format([1])",
    ] {
        assert!(evaluate(source).is_ok(), "{source}: {:?}", evaluate(source));
    }
}

#[test]
fn what_json_cannot_say_is_refused() {
    for source in ["b'abc'", "1.0 / 0.0", "{1: 2}", "optional.of(1)", "type(1)"] {
        assert!(evaluate(source).is_err(), "{source}");
    }
    assert_eq!(evaluate("9223372036854775807 + 1").unwrap_err().message, "`add` overflows 64 bits");
    assert_eq!(evaluate("1 / 0").unwrap_err().message, "a division by zero");
    assert!(evaluate("1 + 'a'").unwrap_err().fix.unwrap().contains("string("));
}

proptest! {
    #[test]
    fn no_source_panics(source in "[a-z.()\\[\\]{}'\"+<>=!&|?:, 0-9\\\\]{0,40}|\\PC{0,30}") {
        let _ = evaluate(&source);
    }

    #[test]
    fn no_shape_of_names_panics(
        parts in proptest::collection::vec(
            prop_oneof!["build", "artifact", "branch", "annotations", "list", "\\.", "\\[", "\\]", "\\(", "\\)", "0", "'x'", "\\+", "\\?", ":", ".all\\(x, ", "has\\("],
            0..14,
        )
    ) {
        let _ = evaluate(&parts.concat());
    }

    /// What the file's reader lets through, over values as large as they may be, ends. Work is bounded by what the
    /// guard counts: at most 8 loops or growing calls, none inside another, over at most 1000 items each.
    #[test]
    fn an_expression_that_is_let_through_ends_over_hostile_values(
        steps in proptest::collection::vec(prop_oneof![
            Just(".filter(x, x != 'q')"), Just(".map(x, x + x)"), Just(".sort()"), Just(".distinct()"), Just(".reverse()"),
            Just(".join('aaaaaaaa')"), Just(".split('')"), Just(".split('a')"), Just(".replace('a', 'aaaaaaaaaaaaaaaa')"),
            Just(".flatten()"), Just(".map(x, [x, x, x])"), Just(".exists(x, x.matches('^(a|b)*$'))"), Just(".upperAscii()"),
        ], 0..12),
        start in prop_oneof![Just("artifact.annotations.wide"), Just("artifact.annotations.letters"), Just("'aaaa'")],
    ) {
        let mut event = an_event();
        event.artifact.annotations.insert("wide".to_owned(), json!(vec!["a"; 1000]));
        event.artifact.annotations.insert("letters".to_owned(), json!("a".repeat(1024)));
        let source = format!("{start}{}", steps.concat());
        if let Ok(expression) = Expression::compile(&source) {
            let growing = steps.iter().filter(|step| !step.contains("upper")).count();
            prop_assert!(growing <= 8, "{source}");
            let _ = expression.evaluate(&event.scope());
        }
    }
}
