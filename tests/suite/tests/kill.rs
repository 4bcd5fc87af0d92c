//! SIGKILL of the shipped binary at the worst moments: one run, none lost, none twice.
//!
//! The stand-in holds the call to Vertex, before or after it is stored; no fault hook in the product.

use std::time::Duration;

use launchgate_standin::{Fault, FaultRule, JobKind, Operation, VertexStandin};
use launchgate_statement::Envelope;
use launchgate_suite::{
    Folder, Service, a_custom_job, a_key, a_pipeline_job, a_push, a_vertex, an_event, client, eventually,
    launch_ids,
};
use serde_json::{Value, json};

/// A lease is two call timeouts and five seconds, the sweep looks every second, and a custom job that has
/// not appeared is looked for again after ten; the rest is room for a busy machine.
const RECOVERY: Duration = Duration::from_secs(90);

struct Scene {
    vertex: VertexStandin,
    folder: Folder,
    event: Envelope,
}

impl Scene {
    async fn of(trigger: Value) -> Self {
        let (key, vertex) = (a_key(), a_vertex().await);
        let folder = Folder::trusting(&key)
            .vertex_at(&vertex.endpoint())
            .set("/vertex/callTimeout", json!("1s"))
            .triggers(vec![trigger])
            .release();
        Self { vertex, folder, event: an_event().signed_by(&key) }
    }

    /// Delivers the event and kills the service while its call is held; answers the hold.
    async fn killed_while(&self, fault: Fault) -> String {
        let service = self.folder.start();
        let hold = self.vertex.add_fault(FaultRule::once(fault)).unwrap();
        let body = a_push(self.event.to_json()).wrapped().to_string();
        let request = client().post(service.url("/pubsub/events")).body(body);
        // Its connection dies with the service.
        let delivery = tokio::spawn(request.send());
        self.vertex.wait_held(&hold, 1).await;
        service.kill();
        assert!(delivery.await.unwrap().is_err(), "the delivery was answered before its call was");
        hold
    }

    async fn recovered(&self) -> Value {
        self.folder.wait_for_outcome(self.event.event_digest().id().as_str(), "launched", RECOVERY).await
    }

    /// One run, under the decision's name, and the ledger says which.
    fn has_exactly_one_run(&self, record: &Value) {
        assert_eq!(launch_ids(&self.vertex).len(), 1, "{:#?}", self.vertex.jobs());
        let runs = record["runs"].as_array().unwrap();
        assert_eq!(runs.len(), 1, "{record:#}");
        let known = self.vertex.jobs()[0]["name"].clone();
        assert_eq!(runs[0], known, "the ledger names another run than there is");
    }

    async fn redeliver(&self, service: &Service) {
        assert_eq!(a_push(self.event.to_json()).message_id("12").deliver(service).await, 204);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_claim_and_launch_the_run_is_still_made_once() {
    let scene = Scene::of(a_pipeline_job("retrain")).await;

    let hold = scene.killed_while(Fault::HoldBefore).await;
    scene.vertex.discard(&hold);
    assert_eq!(scene.vertex.job_count(), 0);
    let service = scene.folder.start();

    // The ledger alone brings it back; the redelivery that then comes finds it done.
    scene.recovered().await;
    scene.redeliver(&service).await;
    let record = scene.recovered().await;
    scene.has_exactly_one_run(&record);
    assert_eq!(record["receipts"], 2);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_between_launch_and_record_the_run_is_adopted_and_not_made_again() {
    let scene = Scene::of(a_pipeline_job("retrain")).await;

    scene.killed_while(Fault::HoldAfter).await;
    assert_eq!(scene.vertex.job_count(), 1);
    let service = scene.folder.start();
    scene.redeliver(&service).await;

    let record = scene.recovered().await;
    scene.has_exactly_one_run(&record);
    assert_eq!(record["receipts"], 2, "the delivery that died with the service is not forgotten");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_call_that_outlives_its_caller_and_arrives_late_makes_no_second_run() {
    let scene = Scene::of(a_pipeline_job("retrain")).await;

    let hold = scene.killed_while(Fault::HoldBefore).await;
    let _service = scene.folder.start();
    let record = scene.recovered().await;
    // The first call, still under way in some proxy, is carried out only now.
    assert_eq!(scene.vertex.release(&hold), 1);

    scene.has_exactly_one_run(&record);
}

#[tokio::test(flavor = "multi_thread")]
async fn killed_right_after_the_answer_nothing_is_lost() {
    let scene = Scene::of(a_pipeline_job("retrain")).await;
    let service = scene.folder.start();

    // The launched mark may still be on its way to the disk; the intent is not.
    assert_eq!(a_push(scene.event.to_json()).deliver(&service).await, 204);
    service.kill();
    let _service = scene.folder.start();

    let record = scene.recovered().await;
    scene.has_exactly_one_run(&record);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custom_job_launched_by_a_killed_service_is_found_by_its_label() {
    let scene = Scene::of(a_custom_job("train")).await;

    scene.killed_while(Fault::HoldAfter).await;
    assert_eq!(scene.vertex.job_count(), 1);
    let service = scene.folder.start();
    scene.redeliver(&service).await;

    let record = scene.recovered().await;
    scene.has_exactly_one_run(&record);
    assert_eq!(scene.vertex.creates().len(), 1, "a kind without an id of ours is never asked for twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_custom_job_that_appears_only_after_a_search_is_still_found_and_not_made_again() {
    let scene = Scene::of(a_custom_job("train")).await;

    let hold = scene.killed_while(Fault::HoldBefore).await;
    let service = scene.folder.start();
    scene.redeliver(&service).await;
    eventually("the new service has looked for the job", RECOVERY, async || {
        let searched = scene.vertex.requests().iter().any(|request| {
            request.method == "GET"
                && request.query("filter").is_some_and(|filter| filter.contains("launchgate-id"))
        });
        searched.then_some(())
    })
    .await;
    assert_eq!(scene.vertex.release(&hold), 1);

    let record = scene.recovered().await;
    scene.has_exactly_one_run(&record);
    assert_eq!(scene.vertex.creates().len(), 1, "a kind without an id of ours is never asked for twice");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_service_killed_while_vertex_is_away_finishes_when_both_are_back() {
    let scene = Scene::of(a_pipeline_job("retrain")).await;
    let service = scene.folder.start();
    let outage = FaultRule::always(Fault::unavailable()).on(Operation::Create).of(JobKind::PipelineJobs);
    let outage = scene.vertex.add_fault(outage).unwrap();

    // Decided and durable: the outage burns no delivery attempt.
    assert_eq!(a_push(scene.event.to_json()).deliver(&service).await, 204);
    assert_eq!(scene.folder.only_record()["outcome"], "retrying");
    service.kill();
    scene.vertex.remove_fault(&outage);
    let _service = scene.folder.start();

    let record = scene.recovered().await;
    scene.has_exactly_one_run(&record);
}
