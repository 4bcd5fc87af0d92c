//! Plans that name the service account that asks.

use std::{collections::BTreeMap, time::Duration};

use launchgate_engine::ports::{CallErrorKind, Vertex};
use launchgate_google::{CredentialSettings, Endpoints, VertexClient};
use launchgate_outcome::Reason;
use launchgate_standin::{
    Access, FederationOptions, FederationStandin, MetadataServer, MetadataServerOptions, TokenSet,
    VertexOptions, VertexStandin,
};

use crate::plans;

const OWN: &str = "launchgate@acme-ml.iam.gserviceaccount.com";
const RESEARCH: &str = "launcher@acme-research.iam.gserviceaccount.com";
const BATCH: &str = "launcher@acme-batch.iam.gserviceaccount.com";

/// A machine whose own account may be `may_be` too, and Vertex AI, which takes the tokens of all of them.
struct Cloud {
    metadata: MetadataServer,
    iam: FederationStandin,
    vertex: VertexStandin,
}

impl Cloud {
    async fn where_the_service_may_be(may_be: &[&str]) -> Self {
        let (own, accepted) = (TokenSet::new(), TokenSet::new());
        Self::issuing(own, accepted, may_be).await
    }

    /// `accepted` is what Vertex AI takes and IAM issues into; `own` what the metadata server issues into.
    async fn issuing(own: TokenSet, accepted: TokenSet, may_be: &[&str]) -> Self {
        let metadata = MetadataServerOptions { tokens: own.clone(), ..Default::default() };
        let iam = FederationOptions {
            callers: own,
            tokens: accepted.clone(),
            service_accounts: may_be.iter().map(|&account| account.to_owned()).collect(),
            ..Default::default()
        };
        let vertex = VertexOptions { access: Access::Tokens(accepted), ..VertexOptions::default() };
        Self {
            metadata: MetadataServer::start(metadata).await.unwrap(),
            iam: FederationStandin::start(iam).await.unwrap(),
            vertex: VertexStandin::start(vertex).await.unwrap(),
        }
    }

    fn client(&self) -> VertexClient {
        let settings =
            CredentialSettings { metadata_host: Some(self.metadata.host()), ..CredentialSettings::default() };
        client(&self.vertex.endpoint(), &self.iam.endpoint(), settings)
    }

    fn asked_by(&self) -> Vec<Option<String>> {
        self.vertex.requests().iter().map(|request| request.account.clone()).collect()
    }
}

fn client(vertex: &str, iam: &str, settings: CredentialSettings) -> VertexClient {
    let variables = [("LAUNCHGATE_VERTEX_ENDPOINT", vertex), ("LAUNCHGATE_IAM_CREDENTIALS_ENDPOINT", iam)];
    let variables = variables.map(|(name, value)| (name.to_owned(), value.to_owned()));
    let endpoints = Endpoints::from_variables(&BTreeMap::from(variables)).unwrap();
    VertexClient::new(endpoints, settings, Duration::from_secs(10)).unwrap()
}

#[tokio::test]
async fn each_plan_is_sent_to_its_place_as_the_account_it_names() {
    // One set: the metadata server's tokens open Vertex AI as well.
    let all = TokenSet::new();
    let cloud = Cloud::issuing(all.clone(), all, &[RESEARCH, BATCH]).await;
    let client = cloud.client();

    client.create(&plans::pipeline()).await.unwrap();
    let run =
        client.create(&plans::elsewhere("acme-research", "europe-west4", Some(RESEARCH))).await.unwrap();
    client.create(&plans::elsewhere("acme-batch", "us-east1", Some(BATCH))).await.unwrap();
    client.get(&plans::elsewhere("acme-research", "europe-west4", Some(RESEARCH))).await.unwrap();

    let as_whom = [OWN, RESEARCH, BATCH, RESEARCH].map(|account| Some(account.to_owned()));
    assert_eq!(cloud.asked_by(), as_whom);
    let paths: Vec<_> = cloud.vertex.creates().iter().map(|create| create.path.clone()).collect();
    assert_eq!(paths[1], "/v1/projects/acme-research/locations/europe-west4/pipelineJobs");
    assert!(run.console.contains("/locations/europe-west4/"), "{}", run.console);
    assert!(run.console.ends_with("?project=acme-research"), "{}", run.console);
    assert_eq!((cloud.iam.issued_to(RESEARCH), cloud.iam.issued_to(BATCH)), (1, 1), "tokens are kept");
}

#[tokio::test]
async fn a_burst_of_launches_asks_for_one_token() {
    let cloud = Cloud::where_the_service_may_be(&[RESEARCH]).await;
    let client = cloud.client();
    let plan = plans::elsewhere("acme-research", "europe-west4", Some(RESEARCH));

    let (one, two, three) = tokio::join!(client.find(&plan), client.find(&plan), client.find(&plan));

    assert!(one.is_ok() && two.is_ok() && three.is_ok());
    assert_eq!(cloud.iam.issued_to(RESEARCH), 1);
}

#[tokio::test]
async fn an_account_that_may_not_be_impersonated_ends_the_launch_with_the_line_that_mends_it() {
    let cloud = Cloud::where_the_service_may_be(&[]).await;

    let error = cloud
        .client()
        .create(&plans::elsewhere("acme-research", "europe-west4", Some(RESEARCH)))
        .await
        .unwrap_err();

    assert_eq!(error.kind, CallErrorKind::Terminal(Reason::PermissionDenied));
    assert!(error.not_accepted);
    let line = format!(
        "gcloud iam service-accounts add-iam-policy-binding {RESEARCH} --project=acme-research \
         --member=serviceAccount:{OWN} --role=roles/iam.serviceAccountTokenCreator"
    );
    assert!(error.message.ends_with(&line), "{}", error.message);
    assert!(error.message.starts_with(&format!("no token of {RESEARCH}: Permission")), "{}", error.message);
    assert_eq!(cloud.vertex.request_count(), 0, "never as somebody else");
}

#[tokio::test]
async fn a_refused_token_of_one_account_is_replaced_and_the_others_are_kept() {
    let (own, issued) = (TokenSet::new(), TokenSet::new());
    let cloud = Cloud::issuing(own, issued, &[RESEARCH, BATCH]).await;
    // Vertex AI that takes nobody's token.
    let strict = VertexOptions { access: Access::Tokens(TokenSet::new()), ..VertexOptions::default() };
    let strict = VertexStandin::start(strict).await.unwrap();
    let settings = CredentialSettings { metadata_host: Some(cloud.metadata.host()), ..Default::default() };
    let client = client(&strict.endpoint(), &cloud.iam.endpoint(), settings);
    let research = plans::elsewhere("acme-research", "europe-west4", Some(RESEARCH));
    let batch = plans::elsewhere("acme-batch", "us-east1", Some(BATCH));

    client.create(&batch).await.unwrap_err();
    for _ in 0..3 {
        let error = client.create(&research).await.unwrap_err();
        assert_eq!(error.kind, CallErrorKind::Unauthenticated);
    }

    assert_eq!(cloud.iam.issued_to(RESEARCH), 2, "one fresh token, and no more for a burst of refusals");
    assert_eq!(cloud.iam.issued_to(BATCH), 1);
    assert_eq!(cloud.metadata.issued(), 1, "the service's own token was not what was refused");
}

#[tokio::test]
async fn an_iam_that_cannot_be_reached_is_worth_another_attempt() {
    let cloud = Cloud::where_the_service_may_be(&[RESEARCH]).await;
    let settings = CredentialSettings { metadata_host: Some(cloud.metadata.host()), ..Default::default() };
    let client = client(&cloud.vertex.endpoint(), "http://127.0.0.1:9", settings);

    let error =
        client.create(&plans::elsewhere("acme-research", "us-east1", Some(RESEARCH))).await.unwrap_err();

    assert_eq!(error.kind, CallErrorKind::Transient(Reason::CredentialsUnavailable));
    assert!(error.not_accepted);
    assert!(error.message.contains(RESEARCH), "{}", error.message);
}

#[tokio::test]
async fn one_account_without_a_token_is_named_and_leaves_the_service_ready() {
    let cloud = Cloud::where_the_service_may_be(&[RESEARCH]).await;

    let some = cloud.client().launching_as([BATCH, RESEARCH], false).unwrap();
    some.ready().await.unwrap();
    let lacking = some.without_token().await;
    assert_eq!(lacking.len(), 1);
    assert!(
        lacking[0].contains(BATCH) && lacking[0].contains("serviceAccountTokenCreator"),
        "{}",
        lacking[0]
    );

    let none = cloud.client().launching_as([BATCH], false).unwrap();
    assert_eq!(none.ready().await.unwrap_err().kind, CallErrorKind::Terminal(Reason::PermissionDenied));
}

#[tokio::test]
async fn a_stand_in_on_this_machine_is_shown_nobodys_token() {
    let access = Access::Tokens(TokenSet::of(["launchgate-loopback"]));
    let vertex = VertexStandin::start(VertexOptions { access, ..VertexOptions::default() }).await.unwrap();
    let client = client(&vertex.endpoint(), "http://127.0.0.1:9", CredentialSettings::default());

    client.create(&plans::elsewhere("acme-research", "us-east1", Some(RESEARCH))).await.unwrap();

    assert_eq!(vertex.job_count(), 1);
}

#[tokio::test]
async fn the_services_own_identity_may_itself_be_impersonated() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "the-jobs-token").unwrap();
    let tokens = TokenSet::new();
    let options = FederationOptions {
        callers: tokens.clone(),
        tokens: tokens.clone(),
        service_accounts: vec![OWN.to_owned(), RESEARCH.to_owned()],
        ..Default::default()
    };
    let iam = FederationStandin::start(options).await.unwrap();
    let access = Access::Tokens(tokens);
    let vertex = VertexStandin::start(VertexOptions { access, ..VertexOptions::default() }).await.unwrap();
    let file = folder.path().join("credentials.json");
    let content = iam.external_account(&folder.path().join("token"), Some(OWN));
    std::fs::write(&file, content.to_string()).unwrap();
    let settings = CredentialSettings { file: Some(file), ..Default::default() };
    let client = client(&vertex.endpoint(), &iam.endpoint(), settings);

    client.create(&plans::elsewhere("acme-research", "us-east1", Some(RESEARCH))).await.unwrap();

    assert_eq!(vertex.requests()[0].account.as_deref(), Some(RESEARCH));
    assert_eq!((iam.issued_to(OWN), iam.issued_to(RESEARCH)), (1, 1));
}
