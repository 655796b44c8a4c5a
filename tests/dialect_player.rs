//! The player of `tests/dialects` itself: what the head of `support::dialect` says of scripts is so.

mod support;

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::TcpStream;

use support::dialect::{DialectServer, Script};

const SCRIPT: &str = r#"
# A comment.
login ann secret
lines LF
limit 1

greeting =>
    220-Two
    220 lines
crowded => 421 Full
USER => 331 {arg}?
PASS right =>
    > login
    230 In
PASS => 530 No
* out => 530 Out
TYPE "I" =>
    > binary
    200 I
CWD dir =>
    > cwd
    250 {path} {cwd}
CWD file => 550 a file
CWD => 550 missing
SIZE ascii => 550 ascii
SIZE "odd*" => 213 odd
SIZE file => 213 {size} {mtime}
MLST => 250 {facts}
PASV =>
    > listen
    227 {pasv}
LIST closed => 425 closed
LIST =>
    > accept
    150 begin
    > data LIST -a
    226 end
REST =>
    > rest
    350 {rest}
RETR beyond => 554 beyond
RETR =>
    > accept
    150 {left} of {size}
    > data FILE
    226 end
QUIT =>
    221 Bye
    > close
SLOW =>
* => 500 {verb}

LIST -a /
    total 1
    -rw-r--r-- a b
MLSD /
    type=file;size=10; a b
    type=dir; d
LIST /d
FILE /a b 20231114221320
    0123
    5678
LINK /l -> d
"#;

struct Client {
    control: BufReader<TcpStream>,
}

impl Client {
    fn new(server: &DialectServer) -> Self {
        let url = server.url("");
        let address = url.rsplit('@').next().expect("an address").trim_end_matches('/');
        Self { control: BufReader::new(TcpStream::connect(address).unwrap()) }
    }

    fn login(server: &DialectServer) -> Self {
        let mut client = Self::new(server);
        for wanted in ["220-Two", "220 lines"] {
            assert_eq!(client.line(), wanted);
        }
        assert_eq!(client.ask("USER ann"), "331 ann?");
        assert_eq!(client.ask("PASS secret"), "230 In");
        client
    }

    fn send(&mut self, text: &str) {
        self.control.get_mut().write_all(text.as_bytes()).unwrap();
    }

    fn line(&mut self) -> String {
        let mut line = String::new();
        self.control.read_line(&mut line).unwrap();
        line.trim_end_matches("\r\n").to_owned()
    }

    fn ask(&mut self, command: &str) -> String {
        self.send(&format!("{command}\r\n"));
        self.line()
    }

    fn data(&mut self, command: &str) -> (String, String, String) {
        let reply = self.ask("PASV");
        let numbers: Vec<u16> = reply[4..].split(',').map(|number| number.parse().unwrap()).collect();
        let mut data = TcpStream::connect(("127.0.0.1", numbers[4] * 256 + numbers[5])).unwrap();
        let begin = self.ask(command);
        let mut text = String::new();
        data.read_to_string(&mut text).unwrap();
        drop(data);
        (begin, text, self.line())
    }
}

fn play(text: &str) -> DialectServer {
    DialectServer::play(Script::parse(text).expect("a good script"))
}

#[test]
fn the_first_rule_that_fits_is_followed() {
    let server = play(SCRIPT);
    let mut client = Client::login(&server);
    assert_eq!(client.ask("CWD l"), "250 /d /d", "links are followed, and the argument is looked at before it is done");
    assert_eq!(client.ask("CWD /a b"), "550 a file");
    assert_eq!(client.ask("CWD ../nope"), "550 missing");
    assert_eq!(client.ask("SIZE /a b"), "550 ascii");
    assert_eq!(client.ask("type i"), "200 I");
    assert_eq!(client.ask("SIZE /a b"), "213 10 20231114221320");
    assert_eq!(client.ask("SIZE ODD one"), "213 odd");
    assert_eq!(client.ask("MLST /a b"), "250 type=file;size=10;");
    assert_eq!(client.ask("MLST /"), "250 type=dir;");
    assert_eq!(client.ask("XYZZY"), "500 XYZZY");
    assert_eq!(client.ask("QUIT"), "221 Bye");
    assert_eq!(client.line(), "", "it has hung up");
}

#[test]
fn data_goes_over_connections_of_its_own() {
    let server = play(SCRIPT);
    let mut client = Client::login(&server);
    assert_eq!(client.ask("LIST"), "425 closed");
    let (begin, text, end) = client.data("LIST");
    assert_eq!((&*begin, &*text, &*end), ("150 begin", "total 1\n-rw-r--r-- a b\n", "226 end"));
    assert_eq!(client.data("LIST -a d").1, "", "no such block");
    assert_eq!(client.ask("REST 6"), "350 6");
    let (begin, text, _) = client.data("RETR /a b");
    assert_eq!((&*begin, &*text), ("150 4 of 10", "678\n"));
    assert_eq!(client.data("RETR /a b").1, "0123\n5678\n", "the offset was used up");
    client.ask("REST 11");
    assert_eq!(client.ask("RETR /a b"), "554 beyond");
}

#[test]
fn rest_may_be_forgotten() {
    let server = play(&format!("REST before RETR alone\n{SCRIPT}"));
    let mut client = Client::login(&server);
    client.ask("REST 6");
    assert_eq!(client.data("RETR /a b").0, "150 10 of 10", "PASV was between them");
}

#[test]
fn nobody_gets_in_without_a_password() {
    let server = play(SCRIPT);
    let mut client = Client::new(&server);
    client.line();
    client.line();
    assert_eq!(client.ask("CWD /"), "530 Out");
    client.ask("USER ann");
    assert_eq!(client.ask("PASS guess"), "530 No");
    assert_eq!(client.ask("CWD /"), "530 Out");
}

#[test]
fn sessions_are_limited() {
    let server = play(SCRIPT);
    let _first = Client::login(&server);
    let mut second = Client::new(&server);
    assert_eq!(second.line(), "421 Full");
    assert_eq!(second.line(), "", "it has hung up");
}

#[test]
fn silence_is_an_answer() {
    let server = play(SCRIPT);
    let mut client = Client::login(&server);
    client.send("SLOW\r\nXYZZY\r\n");
    assert_eq!(client.line(), "500 XYZZY");
    assert_eq!((server.heard("SLOW"), server.heard("XYZZY"), server.heard("QUIT")), (1, 1, 0));
}

#[test]
fn what_comes_behind_a_command_may_be_lost() {
    let server = play(&format!("one command per segment\n{SCRIPT}"));
    let mut client = Client::login(&server);
    client.send("XYZZY\r\nPLUGH\r\n");
    assert_eq!(client.line(), "500 XYZZY");
    assert_eq!(client.ask("PLOVER"), "500 PLOVER");
    assert_eq!(server.heard("PLUGH"), 0);
}

#[test]
fn a_script_that_is_not_understood_is_refused() {
    for (text, wanted) in [
        ("LOST /", "not understood: LOST /"),
        ("CWD nowhere => 250 OK", "not understood: CWD nowhere => 250 OK"),
        ("limit none", "not understood: limit none"),
        ("login ann", "not understood: login ann"),
    ] {
        assert_eq!(Script::parse(text).expect_err("a bad script"), wanted);
    }
}
