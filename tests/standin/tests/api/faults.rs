//! Each fault, each way a rule can match, and the controls over HTTP.

use std::time::{Duration, Instant};

use launchgate_standin::{Fault, FaultRule, JobKind, Operation};
use serde_json::json;

use crate::caller::{Caller, PLACE, a_custom_job, a_pipeline_job, a_vertex, with};

#[tokio::test]
async fn every_known_error_is_answered_with_its_body_and_nothing_is_stored() {
    let errors: serde_json::Value =
        serde_json::from_str(include_str!("../../../vectors/vertex/errors.json")).unwrap();
    let vertex = a_vertex().await;
    let caller = Caller::of(vertex.endpoint());
    let body =
        with(a_pipeline_job(), "/serviceAccount", &json!("train-runner@acme-ml.iam.gserviceaccount.com"));

    for error in errors["synchronous"].as_array().unwrap() {
        let id = error["id"].as_str().unwrap();
        vertex.add_fault(FaultRule::once(Fault::known(id))).unwrap();

        let answer = caller.create("a", &body).await;

        if let Some(raw) = error["raw_body"].as_str() {
            assert_eq!((answer.status, answer.text.as_str()), (404, raw), "{id}");
        } else {
            let code = error["response"]["error"]["code"].as_u64().unwrap();
            assert_eq!(u64::from(answer.status), code, "{id}");
            assert_eq!(answer.json(), error["response"], "{id}");
        }
    }
    assert_eq!(vertex.job_count(), 0);
    assert_eq!(caller.create("a", &body).await.status, 200, "each rule was good for one request");
}

#[tokio::test]
async fn a_status_fault_answers_that_code() {
    let vertex = a_vertex().await;
    let caller = Caller::of(vertex.endpoint());
    vertex.add_fault(FaultRule::once(Fault::unavailable()).times(2)).unwrap();

    let mut seen = Vec::new();
    for _ in 0..3 {
        seen.push(caller.create("a", &a_pipeline_job()).await.status);
    }
    vertex.add_fault(FaultRule::once(Fault::internal())).unwrap();

    assert_eq!(seen, [503, 503, 200]);
    assert_eq!(caller.create("b", &a_pipeline_job()).await.status, 500);
}

#[tokio::test]
async fn an_error_may_come_after_the_job_was_stored() {
    let vertex = a_vertex().await;
    let caller = Caller::of(vertex.endpoint());
    vertex
        .add_fault(FaultRule::once(Fault::DoneButStatus {
            status: "UNAVAILABLE".into(),
            message: "m".into(),
        }))
        .unwrap();

    assert_eq!(caller.create("a", &a_pipeline_job()).await.status, 503);
    assert_eq!(caller.create("a", &a_pipeline_job()).await.status, 409);
}

#[tokio::test]
async fn a_dropped_connection_leaves_the_job_stored_or_not_as_asked() {
    let vertex = a_vertex().await;
    let caller = Caller::of(vertex.endpoint());

    vertex.add_fault(FaultRule::once(Fault::DropBefore)).unwrap();
    let before = caller.try_create("a", &a_pipeline_job()).await;
    let stored_before = vertex.job_count();
    vertex.add_fault(FaultRule::once(Fault::DropAfter)).unwrap();
    let after = caller.try_create("b", &a_pipeline_job()).await;

    assert!(before.unwrap_err().is_request());
    assert!(after.unwrap_err().is_request());
    assert_eq!((stored_before, vertex.job_count()), (0, 1));
    assert_eq!(vertex.creates().len(), 2, "neither was sent twice");
}

#[tokio::test]
async fn slow_answers_are_slow_and_right() {
    let vertex = a_vertex().await;
    let caller = Caller::of(vertex.endpoint());

    for (id, fault) in [("a", Fault::SlowBefore { ms: 50 }), ("b", Fault::SlowAfter { ms: 50 })] {
        vertex.add_fault(FaultRule::once(fault)).unwrap();
        let begun = Instant::now();
        assert_eq!(caller.create(id, &a_pipeline_job()).await.status, 200);
        assert!(begun.elapsed() >= Duration::from_millis(50));
    }
}

#[tokio::test]
async fn a_slow_server_has_stored_the_job_before_it_answers() {
    let vertex = a_vertex().await;
    let caller = Caller::of(vertex.endpoint());
    vertex.add_fault(FaultRule::once(Fault::SlowAfter { ms: 3_600_000 })).unwrap();

    let waiting = tokio::spawn(async move { caller.try_create("a", &a_pipeline_job()).await });
    vertex.wait_jobs(1).await;

    assert!(!waiting.is_finished());
    waiting.abort();
}

#[tokio::test]
async fn a_held_request_goes_on_when_released() {
    for (fault, stored_while_held) in [(Fault::HoldBefore, 0), (Fault::HoldAfter, 1)] {
        let vertex = a_vertex().await;
        let caller = Caller::of(vertex.endpoint());
        let rule = vertex.add_fault(FaultRule::always(fault.clone())).unwrap();

        let waiting = tokio::spawn(async move { caller.create("a", &a_pipeline_job()).await });
        vertex.wait_held(&rule, 1).await;
        let stored = vertex.job_count();
        let released = vertex.release(&rule);

        assert_eq!((stored, released), (stored_while_held, 1), "{fault:?}");
        assert_eq!(waiting.await.unwrap().status, 200, "{fault:?}");
        let later = Caller::of(vertex.endpoint()).create("b", &a_pipeline_job()).await;
        assert_eq!(later.status, 200, "the rule is gone: {fault:?}");
    }
}

#[tokio::test]
async fn a_held_request_is_done_on_release_even_if_its_caller_has_gone() {
    let vertex = a_vertex().await;
    let caller = Caller::of(vertex.endpoint());
    let rule = vertex.add_fault(FaultRule::once(Fault::HoldBefore)).unwrap();
    let waiting = tokio::spawn(async move { caller.create("a", &a_pipeline_job()).await });
    vertex.wait_held(&rule, 1).await;

    waiting.abort();
    assert!(waiting.await.unwrap_err().is_cancelled());
    assert_eq!(vertex.release(&rule), 1);

    vertex.wait_jobs(1).await;
}

#[tokio::test]
async fn a_discarded_request_is_never_done() {
    let vertex = a_vertex().await;
    let caller = Caller::of(vertex.endpoint());
    let rule = vertex.add_fault(FaultRule::once(Fault::HoldBefore)).unwrap();
    let waiting = tokio::spawn(async move { caller.try_create("a", &a_pipeline_job()).await });
    vertex.wait_held(&rule, 1).await;

    assert_eq!(vertex.discard(&rule), 1);

    assert!(waiting.await.unwrap().is_err());
    assert_eq!((vertex.job_count(), vertex.held(&rule)), (0, 0));
}

#[tokio::test]
async fn a_stand_in_stops_although_it_holds_a_request() {
    let vertex = a_vertex().await;
    let caller = Caller::of(vertex.endpoint());
    let rule = vertex.add_fault(FaultRule::once(Fault::HoldAfter)).unwrap();
    let waiting = tokio::spawn(async move { caller.try_create("a", &a_pipeline_job()).await });
    vertex.wait_held(&rule, 1).await;

    vertex.stop().await;

    assert!(waiting.await.unwrap().is_err());
}

#[tokio::test]
async fn a_rule_hits_what_it_matches_alone() {
    let vertex = a_vertex().await;
    let caller = Caller::of(vertex.endpoint());
    let unavailable = || FaultRule::always(Fault::unavailable());
    let by_name = vertex.add_fault(unavailable().display_name("bad")).unwrap();
    vertex.add_fault(unavailable().label("team", "x").label("tier", "1")).unwrap();
    vertex.add_fault(unavailable().job_id("b")).unwrap();
    vertex.add_fault(unavailable().of(JobKind::CustomJobs)).unwrap();
    let body = |pointer, value| with(a_pipeline_job(), pointer, &value);

    assert_eq!(caller.create("a1", &body("/displayName", json!("bad"))).await.status, 503);
    assert_eq!(caller.create("a2", &body("/displayName", json!("good"))).await.status, 200);
    assert_eq!(
        caller.create("a3", &body("/labels", json!({"team": "x", "tier": "1", "z": "z"}))).await.status,
        503
    );
    assert_eq!(caller.create("a4", &body("/labels", json!({"team": "x"}))).await.status, 200);
    assert_eq!(caller.create("b", &a_pipeline_job()).await.status, 503);
    assert_eq!(caller.post(&format!("/v1/{PLACE}/customJobs"), &a_custom_job()).await.status, 503);
    assert_eq!(
        caller.get(&format!("/v1/{PLACE}/pipelineJobs/a2")).await.status,
        200,
        "a rule hits creates unless it says otherwise"
    );
    vertex.remove_fault(&by_name);
    assert_eq!(caller.create("a5", &body("/displayName", json!("bad"))).await.status, 200);
    vertex.clear_faults();
    assert_eq!(caller.create("b", &a_pipeline_job()).await.status, 200);
}

#[tokio::test]
async fn the_nth_request_is_counted_among_those_that_fit() {
    let vertex = a_vertex().await;
    let caller = Caller::of(vertex.endpoint());
    vertex.add_fault(FaultRule::once(Fault::unavailable()).display_name("d").nth(2)).unwrap();

    let mut seen = Vec::new();
    for (id, name) in [("a", "d"), ("b", "other"), ("c", "d"), ("e", "d")] {
        seen.push(caller.create(id, &with(a_pipeline_job(), "/displayName", &json!(name))).await.status);
    }

    assert_eq!(seen, [200, 200, 503, 200]);
}

#[tokio::test]
async fn reads_can_fail_too() {
    let vertex = a_vertex().await;
    let caller = Caller::of(vertex.endpoint());
    caller.create("a", &a_pipeline_job()).await;
    vertex.add_fault(FaultRule::once(Fault::unavailable()).on(Operation::Get).job_id("a")).unwrap();
    vertex.add_fault(FaultRule::once(Fault::DropBefore).on(Operation::List)).unwrap();

    assert_eq!(caller.get(&format!("/v1/{PLACE}/pipelineJobs/a")).await.status, 503);
    assert_eq!(caller.get(&format!("/v1/{PLACE}/pipelineJobs/a")).await.status, 200);
    assert!(caller.try_send("GET", &format!("/v1/{PLACE}/pipelineJobs"), None).await.is_err());
}

#[tokio::test]
async fn an_unauthenticated_request_uses_up_no_rule() {
    let vertex = a_vertex().await;
    let caller = Caller::of(vertex.endpoint());
    vertex.add_fault(FaultRule::once(Fault::unavailable())).unwrap();

    assert_eq!(caller.clone().with_token(None).create("a", &a_pipeline_job()).await.status, 401);
    assert_eq!(caller.create("a", &a_pipeline_job()).await.status, 503);
}

#[tokio::test]
async fn a_rule_that_names_nothing_real_is_a_mistake() {
    let vertex = a_vertex().await;
    let status = |status: &str| Fault::Status { status: status.into(), message: String::new() };

    assert!(vertex.add_fault(FaultRule::once(Fault::known("no_such_id"))).is_err());
    assert!(vertex.add_fault(FaultRule::once(Fault::FailLater { id: "act_as_denied".into() })).is_err());
    assert!(vertex.add_fault(FaultRule::once(status("NOT_A_CODE"))).is_err());
    assert!(vertex.add_fault(FaultRule::once(status("ABORTED")).nth(0)).is_err());
    assert!(vertex.add_fault(FaultRule::once(status("ABORTED"))).is_ok());
}

#[tokio::test]
async fn another_process_controls_it_over_http() {
    let vertex = a_vertex().await;
    let caller = Caller::of(vertex.endpoint());
    let control = caller.clone().with_token(None);

    let rule =
        json!({"match": {"displayName": "d", "labels": {"team": "fraud"}}, "fault": {"type": "holdAfter"}});
    let id = control.post("/_standin/faults", &rule).await.json()["id"].as_str().unwrap().to_owned();
    let mistake = control.post("/_standin/faults", &json!({"fault": {"type": "known", "id": "x"}})).await;
    let unknown_field =
        control.post("/_standin/faults", &json!({"fault": {"type": "holdAfter"}, "often": 3})).await;
    let waiting = tokio::spawn(async move { caller.create("a", &a_pipeline_job()).await });
    let held = control.get(&format!("/_standin/held?rule={id}&wait_ms=60000")).await.json();
    let counts = control.get("/_standin/counts").await.json();
    let released = control.send("POST", &format!("/_standin/release?rule={id}"), None).await.json();

    assert_eq!((mistake.status, unknown_field.status), (400, 400));
    assert_eq!(held[0]["rule"], id.as_str());
    assert_eq!(counts, json!({"requests": 1, "jobs": 1, "held": 1}));
    assert_eq!(released, json!({"released": 1}));
    assert_eq!(waiting.await.unwrap().status, 200);

    let name = vertex.jobs()[0]["name"].as_str().unwrap().to_owned();
    let moved = control.send("POST", &format!("/_standin/jobs?name={name}&state=RUNNING"), None).await;
    assert_eq!(moved.status, 200, "{}", moved.text);
    assert_eq!(control.get("/_standin/jobs").await.json()[0]["state"], "PIPELINE_STATE_RUNNING");
    assert_eq!(control.send("POST", "/_standin/jobs?name=x&state=RUNNING", None).await.status, 400);
    let requests = control.get("/_standin/requests").await.json();
    assert_eq!((requests.as_array().unwrap().len(), &requests[0]["method"]), (1, &json!("POST")));
    let set = json!({"schedule": {"type": "eachRead"}, "listVisibility": {"type": "afterLists", "count": 1}});
    assert_eq!(control.post("/_standin/settings", &set).await.status, 200);
    assert_eq!(control.get("/_standin/nothing").await.status, 404);
}
