//! SIGTERM: what is open is finished, nothing is lost.

use std::time::Duration;

use launchgate_standin::{Fault, FaultRule};
use launchgate_suite::{Folder, PATIENCE, a_key, a_push, a_vertex, an_event, eventually, launch_ids};

#[tokio::test(flavor = "multi_thread")]
async fn sigterm_lets_an_open_delivery_finish_and_ends_with_success() {
    let (key, vertex) = (a_key(), a_vertex().await);
    let folder = Folder::trusting(&key).vertex_at(&vertex.endpoint());
    let mut service = folder.start();
    let hold = vertex.add_fault(FaultRule::once(Fault::HoldBefore)).unwrap();
    let push = a_push(an_event().signed_by(&key).to_json());
    let (url, body) = (service.url("/pubsub/events"), push.wrapped().to_string());
    let delivery =
        tokio::spawn(async move { launchgate_suite::client().post(url).body(body).send().await.unwrap() });
    vertex.wait_held(&hold, 1).await;

    service.terminate();
    service.wait_for_line("stopping", |line| {
        line["message"].as_str().is_some_and(|text| text.starts_with("stopping"))
    });
    // The port is closed at once, so that nothing new is taken.
    eventually("new connections are refused", PATIENCE, async || {
        std::net::TcpStream::connect(service.address()).is_err().then_some(())
    })
    .await;
    vertex.release(&hold);

    assert_eq!(delivery.await.unwrap().status(), 204);
    assert!(service.wait(Duration::from_secs(15)).success());
    assert_eq!(launch_ids(&vertex).len(), 1);
    assert_eq!(folder.only_record()["outcome"], "launched");
}

#[tokio::test(flavor = "multi_thread")]
async fn an_idle_service_ends_at_once() {
    let folder = Folder::trusting(&a_key());
    let mut service = folder.start();

    service.terminate();

    assert!(service.wait(Duration::from_secs(5)).success());
}
