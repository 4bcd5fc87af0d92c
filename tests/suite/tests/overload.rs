//! More deliveries than the service takes at once.

use launchgate_standin::{Fault, FaultRule};
use launchgate_suite::{Folder, PATIENCE, a_key, a_push, a_vertex, an_event, client, eventually};

/// `IN_FLIGHT` of the service.
const AT_ONCE: usize = 400;

#[tokio::test(flavor = "multi_thread")]
async fn over_the_limit_a_delivery_is_turned_away_at_once_and_none_in_hand_is_lost() {
    let (key, vertex) = (a_key(), a_vertex().await);
    let folder = Folder::trusting(&key).vertex_at(&vertex.endpoint());
    let service = folder.start();
    let hold = vertex.add_fault(FaultRule::always(Fault::HoldBefore)).unwrap();
    let bodies = (1..).map(|number| a_push(an_event().number(number).signed_by(&key).to_json()));
    let mut bodies = bodies.map(|push| push.wrapped().to_string());
    let client = client();
    let in_hand: Vec<_> = bodies
        .by_ref()
        .take(AT_ONCE)
        .map(|body| client.post(service.url("/pubsub/events")).body(body).send())
        .map(tokio::spawn)
        .collect();
    vertex.wait_held(&hold, AT_ONCE).await;

    let one_more =
        client.post(service.url("/pubsub/events")).body(bodies.next().unwrap()).send().await.unwrap();
    assert_eq!(one_more.status(), 503);
    assert!(one_more.headers().contains_key("retry-after"));

    vertex.release(&hold);
    vertex.clear_faults();
    for delivery in in_hand {
        assert_eq!(delivery.await.unwrap().unwrap().status(), 204);
    }
    assert_eq!(vertex.jobs().len(), AT_ONCE);
    // Turned away is not lost: Pub/Sub delivers again.
    let again = a_push(an_event().number(AT_ONCE as u64 + 1).signed_by(&key).to_json());
    eventually("the service takes deliveries again", PATIENCE, async || {
        (again.deliver(&service).await == 204).then_some(())
    })
    .await;
    assert_eq!(vertex.jobs().len(), AT_ONCE + 1);
}
