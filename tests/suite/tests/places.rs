//! Triggers that launch in different projects and regions, each as its own service account.

use launchgate_standin::{
    Access, Fault, FaultRule, FederationOptions, FederationStandin, MetadataServer, MetadataServerOptions,
    Operation, TokenSet, VertexOptions, VertexStandin,
};
use launchgate_suite::{
    Folder, PATIENCE, Service, a_custom_job, a_key, a_pipeline_job, a_push, an_event, client,
};
use launchgate_trust::SigningKey;
use serde_json::{Value, json};

const FRAUD: &str = "launcher@acme-fraud.iam.gserviceaccount.com";
const RESEARCH: &str = "launcher@acme-research.iam.gserviceaccount.com";
const OTHER: &str = "launcher@acme-other.iam.gserviceaccount.com";

/// A machine with an account of its own, which may be the three above, and Vertex AI, which takes none but theirs.
struct Cloud {
    metadata: MetadataServer,
    iam: FederationStandin,
    vertex: VertexStandin,
}

impl Cloud {
    async fn start() -> Self {
        let (own, theirs) = (TokenSet::new(), TokenSet::new());
        let metadata = MetadataServerOptions { tokens: own.clone(), ..Default::default() };
        let iam = FederationOptions {
            callers: own,
            tokens: theirs.clone(),
            service_accounts: [FRAUD, RESEARCH, OTHER].map(str::to_owned).to_vec(),
            ..Default::default()
        };
        let vertex = VertexOptions { access: Access::Tokens(theirs), ..Default::default() };
        Self {
            metadata: MetadataServer::start(metadata).await.unwrap(),
            iam: FederationStandin::start(iam).await.unwrap(),
            vertex: VertexStandin::start(vertex).await.unwrap(),
        }
    }

    fn folder(&self, key: &SigningKey) -> Folder {
        let mut retrain = a_pipeline_job("retrain");
        retrain["vertex"] = json!({"project": "acme-fraud", "impersonate": FRAUD});
        let mut train = a_custom_job("train");
        train["vertex"] =
            json!({"project": "acme-research", "location": "us-east4", "impersonate": RESEARCH});
        Folder::trusting(key)
            .triggers(vec![retrain, train])
            .vertex_at(&self.vertex.endpoint())
            .variable("LAUNCHGATE_IAM_CREDENTIALS_ENDPOINT", &self.iam.endpoint())
            .variable("GCE_METADATA_HOST", &self.metadata.host())
    }

    /// Account and path of each create that was asked for, sorted.
    fn creates(&self) -> Vec<(String, String)> {
        let creates = self.vertex.creates();
        let mut creates: Vec<_> =
            creates.into_iter().map(|it| (it.account.unwrap_or_default(), it.path)).collect();
        creates.sort();
        creates
    }
}

async fn ready(service: &Service) -> Value {
    let answer = client().get(service.url("/readyz")).send().await.unwrap();
    serde_json::from_str(&answer.text().await.unwrap()).unwrap()
}

fn in_fraud() -> (String, String) {
    (FRAUD.to_owned(), "/v1/projects/acme-fraud/locations/europe-west1/pipelineJobs".to_owned())
}

fn in_research() -> (String, String) {
    (RESEARCH.to_owned(), "/v1/projects/acme-research/locations/us-east4/customJobs".to_owned())
}

#[tokio::test(flavor = "multi_thread")]
async fn two_triggers_of_one_event_launch_in_two_places_as_two_accounts() {
    let (cloud, key) = (Cloud::start().await, a_key());
    let folder = cloud.folder(&key);
    let service = folder.start();
    let event = an_event().signed_by(&key);
    let id = event.event_digest().id().to_string();

    assert_eq!(a_push(event.to_json()).deliver(&service).await, 204);

    assert_eq!(cloud.creates(), [in_fraud(), in_research()]);
    let shown = folder.launchgate(&["events", "show", &id, "--output", "json"]).success().json();
    let consoles: Vec<_> =
        shown["decisions"].as_array().unwrap().iter().map(|one| one["run"]["console"].to_string()).collect();
    assert!(consoles.iter().any(|link| link.contains("project=acme-fraud")), "{shown}");
    assert!(
        consoles.iter().any(|link| link.contains("/us-east4/") && link.contains("project=acme-research"))
    );
    let ready = ready(&service).await;
    assert_eq!(ready["ready"], true, "{ready}");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_retry_goes_where_and_as_whom_it_was_planned_whatever_the_file_says_by_then() {
    let (cloud, key) = (Cloud::start().await, a_key());
    let folder = cloud.folder(&key);
    let outage =
        cloud.vertex.add_fault(FaultRule::always(Fault::unavailable()).on(Operation::Create)).unwrap();
    let service = folder.start();
    let event = an_event().signed_by(&key);
    let id = event.event_digest().id().to_string();
    assert_eq!(a_push(event.to_json()).deliver(&service).await, 204);
    assert_eq!(folder.only_record()["outcome"], "retrying");
    drop(service);
    cloud.vertex.remove_fault(&outage);
    cloud.vertex.clear_requests();

    // Both triggers are still there and enforced; new events of theirs would go elsewhere.
    let elsewhere = json!({"project": "acme-other", "location": "asia-east1", "impersonate": OTHER});
    let folder = folder.set("/triggers/0/vertex", elsewhere.clone()).set("/triggers/1/vertex", elsewhere);
    let _service = folder.start();

    folder.wait_for_outcome(&id, "launched", PATIENCE).await;
    cloud.vertex.wait_jobs(1).await;
    let mut creates = cloud.creates();
    creates.dedup();
    assert!(creates.contains(&in_fraud()), "{creates:?}");
    assert!(creates.iter().all(|create| *create == in_fraud() || *create == in_research()), "{creates:?}");
    assert_eq!(cloud.iam.issued_to(OTHER), 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn an_account_that_the_service_may_not_be_fails_its_own_launches_and_no_others() {
    let (cloud, key) = (Cloud::start().await, a_key());
    let stranger = "launcher@acme-strange.iam.gserviceaccount.com";
    let folder = cloud.folder(&key).set("/triggers/1/vertex/impersonate", stranger.into());
    let service = folder.start();
    let event = an_event().signed_by(&key);
    let id = event.event_digest().id().to_string();

    assert_eq!(a_push(event.to_json()).deliver(&service).await, 204);

    assert_eq!(cloud.creates(), [in_fraud()], "never as somebody else");
    let shown = folder.launchgate(&["events", "show", &id, "--output", "json"]).success().json();
    let decisions = shown["decisions"].as_array().unwrap();
    let failed = decisions.iter().find(|one| one["trigger"] == "train").unwrap();
    assert_eq!(
        (&failed["outcome"], &failed["reason"]),
        (&json!("failed_launch"), &json!("permission_denied"))
    );
    let line = format!(
        "gcloud iam service-accounts add-iam-policy-binding {stranger} --project=acme-strange \
         --member=serviceAccount:launchgate@acme-ml.iam.gserviceaccount.com --role=roles/iam.serviceAccountTokenCreator"
    );
    assert!(failed["message"].as_str().unwrap().contains(&line), "{failed}");
    let ready = ready(&service).await;
    assert_eq!(ready["ready"], true, "{ready}");
    assert!(ready["warnings"].to_string().contains(stranger), "{ready}");
}
