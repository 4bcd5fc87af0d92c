//! The checks that are kept beside the checkout and know the product only by its contracts.

use launchgate_suite::{Binary, Finished, Profile, Python, shelf, skip};

/// Runs a check of the shelf on the command line's binary; an argument with a slash is a folder there.
fn check(script: &str, arguments: &[&str]) -> Result<Finished, String> {
    let (python, script) = (Python::find()?, shelf(script)?);
    let mut all = vec![Binary::Cli.path(Profile::Dev).into_os_string()];
    for argument in arguments {
        all.push(if argument.contains('/') { shelf(argument)?.into() } else { (*argument).into() });
    }
    Ok(python.run(&script, &all))
}

#[test]
fn every_signature_vector_is_answered_as_it_must_be() {
    match check("check/trust.py", &["vectors/trust", "dsse"]) {
        Ok(finished) => assert_eq!(finished.code, 0, "{}{}", finished.stdout, finished.stderr),
        Err(why) => skip!("{why}"),
    }
}

#[test]
fn planned_requests_are_the_ones_googles_sdk_sends() {
    match check("check/vertex.py", &["vectors/vertex"]) {
        Ok(finished) => assert_eq!(finished.code, 0, "{}{}", finished.stdout, finished.stderr),
        Err(why) => skip!("{why}"),
    }
}
