//! Google's own client library gets tokens from the stand-ins, and Vertex takes them; certificates rotate.

use google_cloud_auth::credentials::{CacheableResource, Credentials, external_account, mds};
use launchgate_standin::{
    Access, FederationOptions, FederationStandin, GoogleCerts, MetadataServer, MetadataServerOptions,
    PushToken, SigningKey, TokenSet, VertexOptions, VertexStandin,
};
use serde_json::json;

use crate::caller::{Caller, a_pipeline_job};

const ACCOUNT: &str = "launchgate@acme-ml.iam.gserviceaccount.com";

async fn token_of(credentials: Credentials) -> Result<String, String> {
    let headers =
        credentials.headers(hyper::http::Extensions::new()).await.map_err(|error| format!("{error:?}"))?;
    let CacheableResource::New { data, .. } = headers else { panic!("nothing is cached yet") };
    Ok(data["authorization"].to_str().unwrap().trim_start_matches("Bearer ").to_owned())
}

async fn a_vertex_that_takes(tokens: TokenSet) -> VertexStandin {
    VertexStandin::start(VertexOptions { access: Access::Tokens(tokens), ..VertexOptions::default() })
        .await
        .unwrap()
}

#[tokio::test]
async fn a_token_of_the_metadata_server_opens_vertex() {
    let tokens = TokenSet::new();
    let vertex = a_vertex_that_takes(tokens.clone()).await;
    let metadata =
        MetadataServer::start(MetadataServerOptions { tokens, ..MetadataServerOptions::default() })
            .await
            .unwrap();
    let caller = Caller::of(vertex.endpoint());

    let credentials = mds::Builder::default().with_endpoint(metadata.endpoint()).build().unwrap();
    let token = token_of(credentials).await.unwrap();

    assert_eq!(caller.with_token(Some(&token)).create("a", &a_pipeline_job()).await.status, 200);
    assert_eq!(metadata.issued(), 1);
}

#[tokio::test]
async fn the_metadata_server_wants_its_header() {
    let metadata = MetadataServer::start(MetadataServerOptions::default()).await.unwrap();
    let bare = Caller::of(metadata.endpoint());
    let path = "/computeMetadata/v1/instance/service-accounts/default/token";

    assert_eq!(bare.get(path).await.status, 403);
    assert_eq!(metadata.issued(), 0);
    metadata.set_failing(Some(503));
    let http = reqwest::Client::new();
    let failing = http
        .get(format!("{}{path}", metadata.endpoint()))
        .header("Metadata-Flavor", "Google")
        .send()
        .await
        .unwrap();
    assert_eq!(failing.status(), 503);
}

#[tokio::test]
async fn an_external_account_with_impersonation_opens_vertex() {
    let tokens = TokenSet::new();
    let vertex = a_vertex_that_takes(tokens.clone()).await;
    let subjects = TokenSet::of(["buildkite-token"]);
    let options =
        FederationOptions { tokens, subject_tokens: Some(subjects), ..FederationOptions::default() };
    let federation = FederationStandin::start(options).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("token");
    std::fs::write(&file, "buildkite-token").unwrap();
    let caller = Caller::of(vertex.endpoint());

    let impersonated =
        external_account::Builder::new(federation.external_account(&file, Some(ACCOUNT))).build().unwrap();
    let token = token_of(impersonated).await.unwrap();
    let federated = external_account::Builder::new(federation.external_account(&file, None)).build().unwrap();
    let bare = token_of(federated).await.unwrap();

    assert_eq!(caller.clone().with_token(Some(&token)).create("a", &a_pipeline_job()).await.status, 200);
    assert!(federation.federated_tokens().knows(&bare));
    assert_eq!(
        caller.with_token(Some(&bare)).create("b", &a_pipeline_job()).await.status,
        401,
        "not impersonated, not permitted"
    );
}

#[tokio::test]
async fn a_wrong_subject_token_or_account_gets_nothing() {
    let subjects = TokenSet::of(["good"]);
    let options = FederationOptions { subject_tokens: Some(subjects), ..FederationOptions::default() };
    let federation = FederationStandin::start(options).await.unwrap();
    let folder = tempfile::tempdir().unwrap();
    let (good, bad) = (folder.path().join("good"), folder.path().join("bad"));
    std::fs::write(&good, "good").unwrap();
    std::fs::write(&bad, "bad").unwrap();
    let _ = rustls::crypto::ring::default_provider().install_default();
    let token = |file: serde_json::Value| async {
        token_of(external_account::Builder::new(file).build().unwrap()).await
    };

    assert!(token(federation.external_account(&good, None)).await.is_ok());
    assert!(token(federation.external_account(&bad, None)).await.unwrap_err().contains("invalid_grant"));
    let mut elsewhere = federation.external_account(&good, None);
    elsewhere["audience"] =
        json!("//iam.googleapis.com/projects/1/locations/global/workloadIdentityPools/x/providers/y");
    assert!(token(elsewhere).await.unwrap_err().contains("invalid_target"));
    let other = federation.external_account(&good, Some("other@acme-ml.iam.gserviceaccount.com"));
    assert!(token(other).await.unwrap_err().contains("getAccessToken"));
}

#[tokio::test]
async fn impersonation_refuses_unknown_fields_and_long_lifetimes() {
    let federation = FederationStandin::start(FederationOptions::default()).await.unwrap();
    federation.federated_tokens().accept("f");
    let caller = Caller::of(federation.endpoint()).with_token(Some("f"));
    let path = format!("/v1/projects/-/serviceAccounts/{ACCOUNT}:generateAccessToken");
    let scope = json!(["https://www.googleapis.com/auth/cloud-platform"]);

    assert_eq!(caller.post(&path, &json!({"scope": scope, "lifetime": "3600s"})).await.status, 200);
    for bad in [
        json!({}),
        json!({"scope": []}),
        json!({"scope": scope, "lifetime": "3601s"}),
        json!({"scope": scope, "lifetime": 3600}),
        json!({"scope": scope, "audience": "x"}),
        json!({"scope": "https://www.googleapis.com/auth/cloud-platform"}),
    ] {
        assert_eq!(caller.post(&path, &bad).await.code(), "INVALID_ARGUMENT", "{bad}");
    }
    assert_eq!(caller.with_token(Some("x")).post(&path, &json!({"scope": scope})).await.status, 401);
}

#[tokio::test]
async fn certificates_rotate_fail_and_count() {
    let certs = GoogleCerts::start().await.unwrap();
    let caller = Caller::of(certs.endpoint());
    let kids = |answer: crate::caller::Answer| {
        let keys = answer.json()["keys"].as_array().unwrap().clone();
        keys.iter().map(|key| key["kid"].as_str().unwrap().to_owned()).collect::<Vec<_>>()
    };

    assert_eq!(certs.jwks_url(), format!("{}/oauth2/v3/certs", certs.endpoint()));
    assert_eq!(kids(caller.get("/oauth2/v3/certs").await), [SigningKey::First.kid()]);
    certs.rotate();
    assert_eq!(
        kids(caller.get("/oauth2/v3/certs").await),
        [SigningKey::First.kid(), SigningKey::Second.kid()]
    );
    certs.retire_first();
    assert_eq!(kids(caller.get("/oauth2/v3/certs").await), [SigningKey::Second.kid()]);
    certs.set_failing(true);
    assert_eq!(caller.get("/oauth2/v3/certs").await.status, 503);
    assert_eq!(certs.fetches(), 4);
    assert_eq!(PushToken::new("a", "e").mint().matches('.').count(), 2);
    assert_eq!(certs.mint("a", "e").matches('.').count(), 2);
}
