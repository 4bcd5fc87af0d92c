//! The harness itself, so that a red test elsewhere is about the product.

use launchgate_statement::{Envelope, Statement};
use launchgate_suite::PATIENCE;
use launchgate_suite::{
    Delivery, LambdaRuntime, PubSubEmulator, a_key, a_push, an_event, client, eventually, skip,
};
use serde_json::json;

#[test]
fn a_draft_is_an_acceptable_event_and_each_number_another() {
    let key = a_key();

    let first = an_event().signed_by(&key);
    let second = an_event().number(43).signed_by(&key);

    let read = Envelope::parse(first.to_json().as_bytes()).unwrap();
    let statement = Statement::parse(&read.payload).unwrap();
    assert_eq!(statement.artifacts.len(), 1);
    assert_ne!(first.event_digest(), second.event_digest());
}

#[tokio::test(flavor = "multi_thread")]
async fn the_emulator_delivers_what_was_published() {
    let emulator = match PubSubEmulator::get().await {
        Ok(emulator) => emulator,
        Err(why) => skip!("{why}"),
    };
    let topic = emulator.topic().await;
    let subscription = emulator.pull_from(&topic).await;

    emulator.publish(&topic, &[b"hello".to_vec()]).await;

    let pulled = eventually("the message comes", PATIENCE, async || {
        Some(emulator.pull(&subscription).await).filter(|pulled| !pulled.is_empty())
    });
    assert_eq!(pulled.await[0].0, b"hello");
    assert_eq!(a_push("x").wrapped()["message"]["data"], "eA==");
    let _ = Delivery::Wrapped;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_runtime_api_hands_an_invocation_to_the_function_and_its_answer_back() {
    let runtime = LambdaRuntime::start().await;
    let base = format!("http://{}/2018-06-01/runtime/invocation", runtime.variables()[0].1);
    let function = tokio::spawn(async move {
        let next = client().get(format!("{base}/next")).send().await.unwrap();
        let id = next.headers()["lambda-runtime-aws-request-id"].to_str().unwrap().to_owned();
        let event = next.text().await.unwrap();
        client().post(format!("{base}/{id}/response")).body(event).send().await.unwrap();
    });

    let answer = runtime.invoke(json!({"a": 1})).await;

    function.await.unwrap();
    assert_eq!(answer, json!({"a": 1}));
}
