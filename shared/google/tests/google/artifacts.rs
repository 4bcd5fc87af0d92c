//! Reading artifacts from a bucket and a registry on loopback.

use std::collections::BTreeMap;

use axum::{
    Router,
    extract::{Path, Query},
    http::{HeaderMap, StatusCode},
    response::IntoResponse,
    routing::get,
};
use launchgate_google::{ArtifactReader, CredentialSettings, Endpoints, Tags, object_address};
use launchgate_statement::Sha256;

const CONTENT: &str = "the model";
const MANIFEST: &str = r#"{"schemaVersion":2,"mediaType":"application/vnd.oci.image.manifest.v1+json"}"#;

pub(crate) async fn serve(router: Router) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move { axum::serve(listener, router).await });
    format!("http://{address}")
}

fn reader(variable: &str, address: &str) -> ArtifactReader {
    let variables = BTreeMap::from([(variable.to_owned(), address.to_owned())]);
    let endpoints = Endpoints::from_variables(&variables).unwrap();
    ArtifactReader::new(endpoints, &CredentialSettings::default())
}

/// A bucket with one object, `fraud/model v3.bin`, told to be `size` bytes.
async fn bucket(size: usize) -> ArtifactReader {
    let object = move |Path(name): Path<String>, Query(query): Query<BTreeMap<String, String>>| async move {
        if name != "fraud/model v3.bin" || query.get("generation").is_some_and(|wanted| wanted != "17") {
            return (StatusCode::NOT_FOUND, "No such object").into_response();
        }
        if query.get("alt").is_some_and(|alt| alt == "media") {
            assert_eq!(query["generation"], "17");
            return CONTENT.into_response();
        }
        let size = size.to_string();
        format!(r#"{{"generation": "17", "size": "{size}", "crc32c": "AAAAAA==", "contentType": "application/octet-stream"}}"#)
            .into_response()
    };
    let address = serve(Router::new().route("/storage/v1/b/acme-models/o/{name}", get(object))).await;
    reader("LAUNCHGATE_STORAGE_ENDPOINT", &address)
}

#[tokio::test]
async fn an_object_is_pinned_to_its_generation_and_hashed_from_its_bytes() {
    let reader = bucket(CONTENT.len()).await;
    let address = object_address("gs://acme-models/fraud/model v3.bin").unwrap();
    let mut last = (0, 0);

    let found = reader.object(&address, &mut |done, of| last = (done, of)).await.unwrap();

    assert_eq!(found.uri, "gs://acme-models/fraud/model v3.bin#17");
    assert_eq!(found.sha256, Sha256::of(CONTENT.as_bytes()));
    assert_eq!((found.generation, found.size), (17, 9));
    assert_eq!(found.crc32c.as_deref(), Some("AAAAAA=="));
    assert_eq!(last, (9, 9));
}

#[tokio::test]
async fn a_generation_that_is_gone_is_an_error() {
    let reader = bucket(CONTENT.len()).await;
    let address = object_address("gs://acme-models/fraud/model v3.bin#16").unwrap();

    let error = reader.object(&address, &mut |_, _| ()).await.unwrap_err().to_string();

    assert!(error.contains("HTTP 404") && error.contains("there is no such artifact"), "{error}");
}

#[tokio::test]
async fn an_object_that_is_not_whole_is_an_error() {
    let reader = bucket(CONTENT.len() + 1).await;
    let address = object_address("gs://acme-models/fraud/model v3.bin").unwrap();

    let error = reader.object(&address, &mut |_, _| ()).await.unwrap_err().to_string();

    assert!(error.contains("expected 10 bytes, read 9"), "{error}");
}

async fn registry() -> ArtifactReader {
    let manifest = |Path(wanted): Path<String>, headers: HeaderMap| async move {
        assert!(headers["accept"].to_str().unwrap().contains("application/vnd.oci.image.manifest.v1+json"));
        assert_eq!(headers["authorization"], "Bearer launchgate-loopback");
        let right = format!("sha256:{}", Sha256::of(MANIFEST.as_bytes()));
        let told = if wanted == "lying" { format!("sha256:{}", "0".repeat(64)) } else { right };
        let media_type = "application/vnd.oci.image.manifest.v1+json; charset=utf-8".to_owned();
        ([("content-type", media_type), ("docker-content-digest", told)], MANIFEST)
    };
    let address = serve(Router::new().route("/v2/acme/ml/train/manifests/{wanted}", get(manifest))).await;
    reader("LAUNCHGATE_REGISTRY_ENDPOINT", &address)
}

#[tokio::test]
async fn an_image_is_read_by_digest() {
    let digest = Sha256::of(MANIFEST.as_bytes());
    let address = format!("us-docker.pkg.dev/acme/ml/train@sha256:{digest}");

    let image = registry().await.image(&address, Tags::Refuse).await.unwrap();

    assert_eq!(image.uri, address);
    assert_eq!(image.sha256, digest);
    assert_eq!(image.media_type.as_deref(), Some("application/vnd.oci.image.manifest.v1+json"));
}

#[tokio::test]
async fn a_manifest_that_is_not_what_the_digest_says_is_an_error() {
    let address = format!("us-docker.pkg.dev/acme/ml/train@sha256:{}", "1".repeat(64));

    let error = registry().await.image(&address, Tags::Refuse).await.unwrap_err().to_string();

    assert!(error.contains("answered a manifest of sha256:"), "{error}");
}

#[tokio::test]
async fn a_tag_is_refused_unless_its_resolution_is_asked_for() {
    let registry = registry().await;
    let tagged = "us-docker.pkg.dev/acme/ml/train:v1";

    let error = registry.image(tagged, Tags::Refuse).await.unwrap_err().to_string();
    assert!(error.contains("`v1` can be moved"), "{error}");

    let image = registry.image(tagged, Tags::Resolve).await.unwrap();
    let digest = Sha256::of(MANIFEST.as_bytes());
    assert_eq!(image.uri, format!("us-docker.pkg.dev/acme/ml/train@sha256:{digest}"));
}

#[tokio::test]
async fn a_digest_header_that_differs_from_the_content_is_an_error() {
    let address = "us-docker.pkg.dev/acme/ml/train:lying";

    let error = registry().await.image(address, Tags::Resolve).await.unwrap_err().to_string();

    assert!(error.contains("its digest header differs"), "{error}");
}
