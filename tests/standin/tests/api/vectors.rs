//! Every request of Google's own client for the four job collections is accepted.

use crate::caller::{Caller, Vector, a_vertex, same};

/// Captured requests of other collections, each with the reason it is outside this stand-in.
const NOT_SERVED: [(&str, &str); 7] = [
    ("endpoint_create", "endpoints are not launched"),
    ("endpoint_deploy_canary", "deployment follows a model upload, a later launch kind"),
    ("endpoint_deploy_explicit_split", "deployment follows a model upload, a later launch kind"),
    ("endpoint_deploy_minimal", "deployment follows a model upload, a later launch kind"),
    ("model_upload_default_version_model_id", "model upload is a later launch kind"),
    ("model_upload_minimal", "model upload is a later launch kind"),
    ("model_upload_version", "model upload is a later launch kind"),
];

#[tokio::test]
async fn every_captured_job_is_accepted_and_comes_back_as_sent() {
    let served = Vector::served();
    assert_eq!(served.len(), 20);

    for vector in served {
        let vertex = a_vertex().await;
        let caller = Caller::of(vertex.endpoint());

        let created = caller.post(&vector.target(""), &vector.body).await;

        assert_eq!(created.status, 200, "{}: {}", vector.name, created.text);
        let name = created.json()["name"].as_str().unwrap().to_owned();
        let shown = caller.get(&format!("/v1/{name}")).await.json();
        for (member, sent) in vector.body.as_object().unwrap() {
            let mut back = shown[member].clone();
            if member == "labels" {
                back.as_object_mut().unwrap().remove("vertex-ai-pipelines-run-billing-id");
            }
            assert!(same(sent, &back), "{}: {member}: sent {sent}, back {back}", vector.name);
        }
        assert_eq!(vertex.requests()[0].json(), vector.body, "{}", vector.name);
    }
}

#[tokio::test]
async fn the_python_clients_own_bytes_with_enums_as_numbers_are_accepted_too() {
    for vector in Vector::served() {
        let vertex = a_vertex().await;
        let caller = Caller::of(vertex.endpoint());

        let created =
            caller.post(&vector.target("%24alt=json%3Benum-encoding%3Dint"), &vector.wire_body()).await;

        assert_eq!(created.status, 200, "{}: {}", vector.name, created.text);
        // Asked for enums as numbers, the server answers with numbers: 2 = PENDING in both state enums.
        assert_eq!(created.json()["state"], 2, "{}", vector.name);
        for (pointer, difference) in vector.differences.as_object().into_iter().flatten() {
            assert_eq!(
                created.json().pointer(pointer),
                Some(&difference["wire"]),
                "{}: {pointer}",
                vector.name
            );
        }
    }
}

#[tokio::test]
async fn what_is_outside_is_named_and_answered_like_an_unknown_path() {
    let vertex = a_vertex().await;
    let caller = Caller::of(vertex.endpoint());
    let served: Vec<_> = Vector::served().into_iter().map(|vector| vector.name).collect();
    let outside: Vec<_> = Vector::all().into_iter().filter(|vector| !served.contains(&vector.name)).collect();

    let names: Vec<_> = outside.iter().map(|vector| vector.name.as_str()).collect();
    assert_eq!(names, NOT_SERVED.map(|(name, _)| name));
    for vector in &outside {
        let answer = caller.post(&vector.target(""), &vector.body).await;
        assert_eq!(answer.status, 404, "{}", vector.name);
        assert!(answer.text.starts_with("<!DOCTYPE html>"), "{}", answer.text);
    }
}
