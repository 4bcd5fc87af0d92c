//! Every way to a token, against stand-ins.

use std::{collections::BTreeMap, time::Duration};

use launchgate_engine::ports::{CallErrorKind, Vertex};
use launchgate_google::{CredentialSettings, Credentials, Endpoints, GoogleError, PubSub};
use launchgate_outcome::Reason;
use launchgate_standin::{
    Access, FederationOptions, FederationStandin, MetadataServer, MetadataServerOptions, TokenSet,
    VertexOptions, VertexStandin,
};
use serde_json::json;

use crate::{plans, vertex};

const LIMIT: Duration = Duration::from_secs(10);

async fn vertex_accepting(tokens: &TokenSet) -> VertexStandin {
    let access = Access::Tokens(tokens.clone());
    VertexStandin::start(VertexOptions { access, ..VertexOptions::default() }).await.unwrap()
}

#[tokio::test]
async fn the_metadata_servers_token_opens_vertex_and_is_cached() {
    let tokens = TokenSet::new();
    let metadata =
        MetadataServer::start(MetadataServerOptions { tokens: tokens.clone(), ..Default::default() })
            .await
            .unwrap();
    let standin = vertex_accepting(&tokens).await;
    let settings = CredentialSettings { metadata_host: Some(metadata.host()), ..Default::default() };
    let client = vertex::client(&standin.endpoint(), settings.clone(), LIMIT);

    client.ready().await.unwrap();
    client.create(&plans::pipeline()).await.unwrap();
    client.get(&plans::pipeline()).await.unwrap();

    assert_eq!(metadata.issued(), 1);
    let credentials = Credentials::new(settings, None);
    assert_eq!(
        credentials.account().await.member(),
        "serviceAccount:launchgate@acme-ml.iam.gserviceaccount.com"
    );
}

#[tokio::test]
async fn a_file_of_buildkites_workload_identity_plugin_opens_vertex() {
    let tokens = TokenSet::new();
    let federation = FederationStandin::start(FederationOptions {
        subject_tokens: Some(TokenSet::of(["the-jobs-token"])),
        tokens: tokens.clone(),
        ..Default::default()
    })
    .await
    .unwrap();
    let standin = vertex_accepting(&tokens).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "the-jobs-token").unwrap();
    let file = folder.path().join("credentials.json");
    let account = "launchgate@acme-ml.iam.gserviceaccount.com";
    let content = json!({
        "type": "external_account",
        "audience": FederationOptions::default().audience,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("{}/v1/token", federation.endpoint()),
        "service_account_impersonation_url":
            format!("{}/v1/projects/-/serviceAccounts/{account}:generateAccessToken", federation.endpoint()),
        "credential_source": {"file": folder.path().join("token")},
    });
    std::fs::write(&file, content.to_string()).unwrap();
    let settings = CredentialSettings { file: Some(file), ..Default::default() };

    vertex::client(&standin.endpoint(), settings.clone(), LIMIT).create(&plans::pipeline()).await.unwrap();

    let credentials = Credentials::new(settings, None);
    assert_eq!(credentials.account().await.member(), format!("serviceAccount:{account}"));
    assert_eq!(credentials.warnings(), Vec::<String>::new());
}

#[tokio::test]
async fn a_refused_token_is_replaced_before_the_next_attempt() {
    let tokens = TokenSet::new();
    let metadata =
        MetadataServer::start(MetadataServerOptions { tokens: tokens.clone(), ..Default::default() })
            .await
            .unwrap();
    // Knows none of the tokens handed out until it is told.
    let accepted = TokenSet::new();
    let standin = vertex_accepting(&accepted).await;
    let settings = CredentialSettings { metadata_host: Some(metadata.host()), ..Default::default() };
    let client = vertex::client(&standin.endpoint(), settings, LIMIT);

    for _ in 0..2 {
        let error = client.create(&plans::pipeline()).await.unwrap_err();
        assert_eq!(error.kind, CallErrorKind::Unauthenticated);
        assert!(error.not_accepted);
    }
    client.create(&plans::pipeline()).await.unwrap_err();

    assert_eq!(metadata.issued(), 2, "one fresh token, and no more for a burst of refusals");
}

#[tokio::test]
async fn a_file_that_impersonates_opens_vertex() {
    let tokens = TokenSet::new();
    let federation =
        FederationStandin::start(FederationOptions { tokens: tokens.clone(), ..Default::default() })
            .await
            .unwrap();
    let standin = vertex_accepting(&tokens).await;
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "the-jobs-token").unwrap();
    let file = folder.path().join("credentials.json");
    let account = "launchgate@acme-ml.iam.gserviceaccount.com";
    let content = json!({
        "type": "impersonated_service_account",
        "service_account_impersonation_url":
            format!("{}/v1/projects/-/serviceAccounts/{account}:generateAccessToken", federation.endpoint()),
        "source_credentials": {
            "type": "external_account",
            "audience": FederationOptions::default().audience,
            "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
            "token_url": format!("{}/v1/token", federation.endpoint()),
            "credential_source": {"file": folder.path().join("token")},
        },
    });
    std::fs::write(&file, content.to_string()).unwrap();
    let settings = CredentialSettings { file: Some(file), ..Default::default() };

    vertex::client(&standin.endpoint(), settings.clone(), LIMIT).create(&plans::pipeline()).await.unwrap();

    assert_eq!(
        Credentials::new(settings, None).account().await.member(),
        format!("serviceAccount:{account}")
    );
}

#[tokio::test]
async fn publishing_without_credentials_says_so_at_once() {
    let metadata = MetadataServer::start(MetadataServerOptions::default()).await.unwrap();
    metadata.set_failing(Some(404));
    let settings = CredentialSettings { metadata_host: Some(metadata.host()), ..Default::default() };
    let pubsub = PubSub::new(Endpoints::default(), settings);

    let error = pubsub.publish("projects/acme-ml/topics/events", "x", &BTreeMap::new()).await.unwrap_err();

    assert!(matches!(error, GoogleError::Credentials(_)), "{error}");
}

#[tokio::test]
async fn a_refused_subject_token_is_transient_and_says_what_to_check() {
    let federation = FederationStandin::start(FederationOptions {
        subject_tokens: Some(TokenSet::of(["another"])),
        ..Default::default()
    })
    .await
    .unwrap();
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(folder.path().join("token"), "eyJhbGciOiJSUzI1NiJ9.the-jobs-token-that-is-secret-secret")
        .unwrap();
    let file = folder.path().join("credentials.json");
    let content = json!({
        "type": "external_account",
        "audience": FederationOptions::default().audience,
        "subject_token_type": "urn:ietf:params:oauth:token-type:jwt",
        "token_url": format!("{}/v1/token", federation.endpoint()),
        "credential_source": {"file": folder.path().join("token")},
    });
    std::fs::write(&file, content.to_string()).unwrap();
    let settings = CredentialSettings { file: Some(file), ..Default::default() };
    let client = vertex::client("http://127.0.0.1:9", settings, LIMIT);

    let error = client.create(&plans::pipeline()).await.unwrap_err();

    assert_eq!(error.kind, CallErrorKind::Transient(Reason::CredentialsUnavailable));
    assert!(error.not_accepted);
    assert!(error.message.contains("external_account credentials in"), "{}", error.message);
    assert!(error.message.contains("roles/iam.workloadIdentityUser"), "{}", error.message);
    assert!(!error.message.contains("secret-secret"), "{}", error.message);
}

#[tokio::test]
async fn a_missing_metadata_server_is_transient_and_says_what_was_looked_for() {
    let metadata = MetadataServer::start(MetadataServerOptions::default()).await.unwrap();
    metadata.set_failing(Some(404));
    let settings = CredentialSettings { metadata_host: Some(metadata.host()), ..Default::default() };
    let client = vertex::client("http://127.0.0.1:9", settings, LIMIT);

    let error = client.ready().await.unwrap_err();

    assert_eq!(error.kind, CallErrorKind::Transient(Reason::CredentialsUnavailable));
    assert!(error.message.contains(&metadata.host()), "{}", error.message);
    assert!(error.message.contains("gcloud auth application-default login"), "{}", error.message);
}

#[tokio::test]
async fn credentials_that_merely_lie_around_never_go_to_a_stand_in() {
    let standin = vertex_accepting(&TokenSet::of(["launchgate-loopback"])).await;
    let folder = tempfile::tempdir().unwrap();
    let content =
        json!({"type": "authorized_user", "client_id": "a", "client_secret": "b", "refresh_token": "c"});
    std::fs::write(folder.path().join("application_default_credentials.json"), content.to_string()).unwrap();
    let settings = CredentialSettings { gcloud_folder: Some(folder.path().to_owned()), ..Default::default() };

    vertex::client(&standin.endpoint(), settings, LIMIT).create(&plans::pipeline()).await.unwrap();

    assert_eq!(standin.job_count(), 1);
}

#[tokio::test]
async fn a_broken_file_is_named_without_its_content() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("credentials.json");
    for (content, problem) in [
        ("{\"private_key\": \"hunter2\" oops", "not JSON"),
        ("{\"private_key\": \"hunter2\"}", "the type ``"),
        ("{\"type\": \"service_account\", \"private_key\": \"hunter2\"}", "service_account credentials in"),
    ] {
        std::fs::write(&file, content).unwrap();
        let settings = CredentialSettings { file: Some(file.clone()), ..Default::default() };

        let error = Credentials::new(settings, None).headers(LIMIT).await.unwrap_err().to_string();

        assert!(error.contains("credentials.json") && error.contains(problem), "{error}");
        assert!(!error.contains("hunter2"), "{error}");
    }
    let absent = CredentialSettings { file: Some(folder.path().join("absent.json")), ..Default::default() };
    let error = Credentials::new(absent, None).headers(LIMIT).await.unwrap_err().to_string();
    assert!(error.contains("named by GOOGLE_APPLICATION_CREDENTIALS"), "{error}");
}

#[tokio::test]
async fn a_static_key_is_warned_of() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("key.json");
    std::fs::write(
        &file,
        json!({"type": "service_account", "client_email": "a@b.iam.gserviceaccount.com"}).to_string(),
    )
    .unwrap();
    let credentials = Credentials::new(CredentialSettings { file: Some(file), ..Default::default() }, None);

    assert_eq!(credentials.warnings().len(), 1);
    assert_eq!(credentials.account().await.member(), "serviceAccount:a@b.iam.gserviceaccount.com");
}
