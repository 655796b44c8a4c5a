//! Logins that fail: how often the password goes out, and what is made of it.

mod support;

use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant, SystemTime};

use ftpfs::base::Clock;
use ftpfs::ftp::Client;
use ftpfs::ftp::socket::Network;
use ftpfs::remote::ErrorKind;
use parking_lot::Mutex;
use support::client::{AMPLE, config, list, soon};
use support::server::{FakeServer, Fault, Personality, Tree};

/// A clock that is moved by hand.
struct Hand(Mutex<Instant>);

impl Hand {
    fn turn(&self, secs: u64) {
        *self.0.lock() += Duration::from_secs(secs);
    }
}

impl Clock for Hand {
    fn now(&self) -> Instant {
        *self.0.lock()
    }

    fn wall(&self) -> SystemTime {
        SystemTime::now()
    }
}

struct Scene {
    server: FakeServer,
    client: Client,
    clock: Arc<Hand>,
}

fn scene() -> Scene {
    let server = FakeServer::start(Personality::mlsd(), Tree::new().dir("d").many("many", 3));
    let clock = Arc::new(Hand(Mutex::new(Instant::now())));
    let config = config(&server);
    let client =
        Client::new(&config, Box::new(Network { family: config.family }), Arc::clone(&clock) as Arc<dyn Clock>)
            .expect("no files are named");
    Scene { server, client, clock }
}

impl Scene {
    /// What several threads are told that want a connection at once, and how many passwords that cost.
    fn ask_together(&self) -> (Vec<Option<ErrorKind>>, usize) {
        self.server.clear_log();
        let told = thread::scope(|scope| {
            let asking: Vec<_> =
                (0..6).map(|_| scope.spawn(|| list(&self.client, "/d").err().map(|e| e.kind))).collect();
            asking.into_iter().map(|thread| thread.join().expect("no panic")).collect()
        });
        (told, self.server.log().verb("PASS"))
    }

    fn lose_connections(&self) {
        // The server may still be busy with the end of what we have read.
        assert!(self.server.wait_for_idle(self.server.connections_open(), AMPLE));
        self.server.close_idle_connections();
        assert!(self.server.wait_for_connections(0, AMPLE), "{}", self.server.log());
    }
}

const REFUSED: [Option<ErrorKind>; 6] = [Some(ErrorKind::LoginRefused); 6];

#[test]
fn a_password_that_was_never_right_is_sent_once() {
    let Scene { server, client, clock } = scene();
    server.fault(Fault::reply("PASS", "530 Login incorrect."));
    for _ in 0..3 {
        let error = client.enter(b"", soon()).expect_err("it is refused");
        assert_eq!(error.to_string(), "login: login refused (server: Login incorrect.)");
        clock.turn(100_000);
    }
    assert_eq!(server.log().verb("PASS"), 1, "{}", server.log());
    assert_eq!(server.log().verb("USER"), 1, "{}", server.log());
}

#[test]
fn a_password_that_was_right_is_tried_again_by_one_thread_after_a_pause() {
    let scene = scene();
    scene.client.enter(b"", soon()).expect("it is right");
    // Now it is changed, and the server lets go of us.
    scene.server.fault(Fault::reply("PASS", "530 Login incorrect."));
    scene.lose_connections();
    assert_eq!(scene.ask_together(), (REFUSED.to_vec(), 1));
    assert_eq!(scene.ask_together(), (REFUSED.to_vec(), 0));
    scene.clock.turn(29);
    assert_eq!(scene.ask_together(), (REFUSED.to_vec(), 0));
    scene.clock.turn(1);
    assert_eq!(scene.ask_together(), (REFUSED.to_vec(), 1));
    scene.clock.turn(59);
    assert_eq!(scene.ask_together(), (REFUSED.to_vec(), 0));
    scene.server.heal();
    scene.clock.turn(1);
    list(&scene.client, "/d").expect("it is right again");
    assert_eq!(scene.ask_together().0, vec![None; 6]);
}

#[test]
fn a_crowded_server_is_no_wrong_password() {
    let scene = scene();
    scene.client.enter(b"", soon()).expect("it is right");
    let crowd = "530 Sorry, the maximum number of allowed clients (4) are already connected.";
    scene.server.fault(Fault::reply("PASS", crowd).times(2));
    scene.lose_connections();
    list(&scene.client, "/d").expect("the third attempt is let in");
    assert_eq!(scene.ask_together().0, vec![None; 6]);
}
