//! The checks that are kept beside the checkout and know the product only by its contracts.

use std::collections::BTreeSet;

use launchgate_suite::{Binary, Finished, Profile, Python, shelf, skip};

fn check(python: &Python, script: &str, arguments: &[&str]) -> Result<Finished, String> {
    let script = shelf(script)?;
    let mut all = vec![Binary::Cli.path(Profile::Dev).into_os_string()];
    for argument in arguments {
        all.push(if argument.contains('/') { shelf(argument)?.into() } else { (*argument).into() });
    }
    Ok(python.run(&script, &all))
}

/// The names of the cases that fell short.
fn failed(finished: &Finished) -> BTreeSet<String> {
    let failed = finished.stdout.lines().filter_map(|line| line.strip_prefix("FAIL "));
    failed.map(|line| line.split(':').next().unwrap_or(line).to_owned()).collect()
}

#[test]
fn every_signature_vector_is_answered_as_it_must_be() {
    let finished = match Python::find()
        .and_then(|python| check(&python, "check/trust.py", &["vectors/trust", "dsse"]))
    {
        Ok(finished) => finished,
        Err(why) => skip!("{why}"),
    };

    assert_eq!(finished.code, 0, "{}{}", finished.stdout, finished.stderr);
}

#[test]
fn planned_requests_are_the_ones_googles_sdk_sends() {
    // Launch kinds that this version does not have yet.
    let later = BTreeSet::from(["requests batch_prediction", "requests hpt_bayesian"].map(str::to_owned));
    let finished =
        match Python::find().and_then(|python| check(&python, "check/vertex.py", &["vectors/vertex"])) {
            Ok(finished) => finished,
            Err(why) => skip!("{why}"),
        };

    assert!(
        finished.stdout.contains("requests: ") && finished.stdout.contains("parameters: "),
        "{finished:?}"
    );
    let failed = failed(&finished);
    assert!(failed.is_subset(&later), "{}{}", finished.stdout, finished.stderr);
}
