//! Tests of what is kept of streams.

use super::*;

fn replays(events_max: usize, bytes_max: usize) -> Arc<Replays> {
    Replays::new(7, Bounds { events_max, bytes_max })
}

async fn say(recorder: &Recorder, text: &'static str) {
    recorder.say(Step::Notice(Bytes::from_static(text.as_bytes()))).await;
}

fn bodies(steps: &[Step]) -> Vec<String> {
    let body = |step: &Step| match step {
        Step::Event(Event { body: Some(body), .. }) => String::from_utf8_lossy(body).into(),
        other => panic!("{other:?}"),
    };
    steps.iter().map(body).collect()
}

fn id_of(step: Option<Step>) -> String {
    match step {
        Some(Step::Event(Event { id: Some(id), .. })) => id,
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn c092_only_what_followed_in_the_same_stream_is_said_again() {
    let all = replays(100, 1000);
    let (one, mut read) = all.begin(Raw::from_static("1"));
    let (two, _read) = all.begin(Raw::from_static("2"));
    for text in ["a", "b", "c"] {
        say(&one, text).await;
        say(&two, "other").await;
    }
    let first = all.place(&id_of(read.recv().await)).unwrap();
    let Rest::Kept { said, lost: false, more: Some(mut more) } = all.rest(first) else {
        panic!("kept");
    };
    assert_eq!(bodies(&said), ["b", "c"]);
    say(&one, "d").await;
    assert_eq!(bodies(&[more.recv().await.unwrap()]), ["d"]);
    assert!(read.recv().await.is_some() && read.recv().await.is_some());
    assert_eq!(read.recv().await, None, "one reads at a time");
    drop(one);
    let Rest::Kept { said, more: None, .. } = all.rest(first) else { panic!("kept") };
    assert_eq!(bodies(&said), ["b", "c", "d"]);
}

#[tokio::test]
async fn c092_an_answer_alone_has_no_stream_and_is_not_kept() {
    let all = replays(100, 1000);
    let (one, mut read) = all.begin(Raw::from_static("1"));
    let last = Step::Last { status: 200, body: Bytes::from_static(b"a") };
    one.say(last.clone()).await;
    drop(one);
    assert_eq!(read.recv().await, Some(last));
    assert!(all.kept().streams.is_empty() && all.kept().lost.is_empty());
}

#[tokio::test]
async fn c092_what_is_kept_is_bounded_and_its_loss_is_known() {
    for (events_max, bytes_max) in [(2, 1000), (100, 2)] {
        let all = replays(events_max, bytes_max);
        let (one, mut read) = all.begin(Raw::from_static("1"));
        one.prime().await;
        let place = all.place(&id_of(read.recv().await)).unwrap();
        for text in ["a", "b", "c"] {
            say(&one, text).await;
        }
        let Rest::Kept { said, lost: true, .. } = all.rest(place) else { panic!("kept") };
        assert_eq!(bodies(&said), ["b", "c"]);
        drop(one);
        let (two, _read) = all.begin(Raw::from_static("2"));
        for text in ["d", "e"] {
            say(&two, text).await;
        }
        assert!(matches!(all.rest(place), Rest::Lost(request) if request.as_str() == "1"));
        let kept = all.kept();
        assert_eq!((kept.order.len(), kept.bytes, kept.streams.len()), (2, 2, 1));
    }
}

#[tokio::test(start_paused = true)]
async fn c092_what_is_old_is_forgotten() {
    let all = replays(100, 1000);
    let (one, mut read) = all.begin(Raw::from_static("1"));
    say(&one, "a").await;
    drop(one);
    let place = all.place(&id_of(read.recv().await)).unwrap();
    tokio::time::advance(KEPT_FOR).await;
    all.expire();
    assert!(matches!(all.rest(place), Rest::Kept { .. }));
    tokio::time::advance(Duration::from_secs(1)).await;
    all.expire();
    assert!(matches!(all.rest(place), Rest::Lost(_)));
    assert_eq!(all.kept().bytes, 0);
}

#[tokio::test]
async fn c092_an_id_of_another_session_or_a_made_up_one_is_none() {
    let (all, other) = (replays(9, 9), Replays::new(8, Bounds { events_max: 9, bytes_max: 9 }));
    let good = all.stand(Bytes::from_static(b"a")).id.unwrap();
    let place = all.place(&good).unwrap();
    assert!(place.standing && place.number == 1);
    assert_eq!(other.place(&good), None);
    let long = format!("{good}{}", "0".repeat(100));
    let bad = ["", "1", "-", &good[1..], &good.replace('s', "x"), &format!("{good}x"), &long];
    for bad in bad {
        assert_eq!(all.place(bad), None, "{bad}");
    }
    for bad in [good.replace('-', "-0"), good.replace('-', "é"), good.replace('-', "--")] {
        assert_eq!(all.place(&bad), None, "{bad}");
    }
    // Numbers and kinds that were never given.
    for bad in [good.replace("-1", "-2"), good.replace('s', "a")] {
        assert_eq!(all.place(&bad), None, "{bad}");
    }
    let unsaid = Replays::new(7, Bounds { events_max: 9, bytes_max: 9 });
    assert!(unsaid.place(&unsaid.id(unsaid.standing, 0)).is_some());
    assert_eq!(unsaid.place(&unsaid.id(unsaid.standing, 1)), None);
    let unknown = Place { stream: 5, standing: false, number: 1 };
    assert!(matches!(all.rest(unknown), Rest::Unknown));
}

#[tokio::test]
async fn c092_a_standing_stream_says_what_followed_and_knows_what_it_lost() {
    let all = replays(2, 1000);
    let first = all.place(&all.standing_place().id.unwrap()).unwrap();
    assert!(!all.standing_is_lost_after(first));
    let said = |place| -> Vec<_> {
        all.standing_after(place).into_iter().filter_map(|event| event.body).collect()
    };
    for text in ["a", "b"] {
        all.stand(Bytes::from_static(text.as_bytes()));
    }
    assert_eq!(said(first), ["a", "b"]);
    assert!(!all.standing_is_lost_after(first));
    all.stand(Bytes::from_static(b"c"));
    assert_eq!(said(first), ["b", "c"]);
    assert!(all.standing_is_lost_after(first));
    let restarted = replays(2, 1000);
    let before = restarted.place(&all.id(all.standing, 3)).unwrap();
    assert!(restarted.standing_is_lost_after(before));
    assert_eq!(restarted.standing_after(before), []);
}

#[tokio::test(start_paused = true)]
async fn c089_a_client_is_away_for_as_long_as_an_answer_may_take_before_it_has_left() {
    let all = replays(100, 1000);
    let (recorder, mut read) = all.begin(Raw::from_static("1"));
    say(&recorder, "a question").await;
    let place = all.place(&id_of(read.recv().await)).unwrap();
    let wait = Duration::from_secs(600);
    let mut left = std::pin::pin!(recorder.left(wait));
    drop(read);
    assert!(tokio::time::timeout(wait - LOOK_EVERY, left.as_mut()).await.is_err());
    let Rest::Kept { more: Some(more), .. } = all.rest(place) else { panic!("kept") };
    // It came back, and goes again.
    assert!(tokio::time::timeout(wait, left.as_mut()).await.is_err());
    drop(more);
    let began = Instant::now();
    left.await;
    assert!(began.elapsed() <= wait + LOOK_EVERY);
}

#[tokio::test(start_paused = true)]
async fn a_client_that_was_given_no_place_to_come_back_to_has_left_soon() {
    let all = replays(100, 1000);
    let (recorder, read) = all.begin(Raw::from_static("1"));
    drop(read);
    let began = Instant::now();
    recorder.left(Duration::from_secs(600)).await;
    assert!(began.elapsed() <= PLACELESS_WAIT + LOOK_EVERY);
    say(&recorder, "a question").await;
    recorder.left(Duration::from_secs(600)).await;
    assert!(began.elapsed() <= 3 * PLACELESS_WAIT, "nobody read that");
}
