//! What is typed, and what it changes.

use beckon_shared::device::InterfaceKind;
use clap::Parser;

use super::*;

#[derive(clap::Parser)]
struct Line {
    #[command(flatten)]
    args: Args,
}

fn command(words: &str) -> Option<Command> {
    let line = std::iter::once("lan").chain(words.split_whitespace());
    Line::try_parse_from(line).ok()?.args.command
}

/// Does what is typed on a machine that is in no network.
fn done(policy: &mut Policy, words: &str) -> Result<String, Refusal> {
    done_in(lan::Around::default(), policy, words)
}

fn done_in(around: lan::Around, policy: &mut Policy, words: &str) -> Result<String, Refusal> {
    let command = command(words).unwrap();
    Decision { command, around }.carry_out(policy)
}

fn around(interface: &str, kind: InterfaceKind) -> lan::Around {
    lan::Around::only(interface, kind, "192.168.1.5/24".parse().unwrap())
}

#[test]
fn what_makes_no_sense_is_not_taken() {
    for words in [
        "port 0",
        "port 80",
        "port 65536",
        "port x",
        "mdns maybe",
        "origin add drive.example",
        "host add studio.lan:47820",
        "host add",
        "forbid",
    ] {
        assert!(command(words).is_none(), "{words}");
    }
}

#[test]
fn switches_and_the_port_are_kept() {
    let mut policy = Policy {
        found_port: Some(50_000),
        ..Policy::default()
    };
    for words in ["off", "mdns off", "port 8000"] {
        done(&mut policy, words).unwrap();
    }
    assert_eq!(
        (policy.on, policy.mdns, policy.port, policy.found_port),
        (false, false, Some(8000), None)
    );
    for words in ["on", "mdns on", "port default"] {
        done(&mut policy, words).unwrap();
    }
    assert_eq!(policy, Policy::default());
}

#[test]
fn web_apps_and_names_are_added_once_and_taken_back() {
    let mut policy = Policy::default();
    for words in [
        "origin add https://Drive.example/app",
        "origin add https://drive.example",
        "host add Studio.lan",
        "host add studio.lan",
    ] {
        done(&mut policy, words).unwrap();
    }
    assert_eq!(policy.origins, [Origin::parse("https://drive.example").unwrap()]);
    assert_eq!(policy.hosts, ["studio.lan"]);
    for words in ["origin remove https://drive.example", "host remove studio.lan"] {
        done(&mut policy, words).unwrap();
        assert_eq!(done(&mut policy, words).unwrap_err().code, ErrorCode::NotFound);
    }
    assert_eq!(policy, Policy::default());
}

#[test]
fn what_is_not_there_can_be_neither_allowed_nor_denied() {
    for (words, code) in [
        ("allow", ErrorCode::NotFound),
        ("allow here", ErrorCode::NotFound),
        ("allow 192.168.1.0/24", ErrorCode::NotFound),
        ("allow hree", ErrorCode::BadRequest),
        ("deny here", ErrorCode::NotFound),
        ("deny 192.168.1.0/24", ErrorCode::NotFound),
        ("deny wg7", ErrorCode::BadRequest),
    ] {
        let mut policy = Policy::default();
        assert_eq!(done(&mut policy, words).unwrap_err().code, code, "{words}");
        assert_eq!(policy, Policy::default(), "{words}");
    }
}

#[test]
fn an_interface_that_was_allowed_can_be_closed_while_it_is_gone() {
    let mut policy = Policy {
        interfaces: vec!["wg7".to_owned()],
        ..Policy::default()
    };
    done(&mut policy, "deny wg7").unwrap();
    assert_eq!((policy.interfaces, policy.closed), (Vec::new(), vec!["wg7".to_owned()]));
}

#[test]
fn the_network_that_the_machine_is_in_is_allowed_by_any_name_of_it() {
    for words in ["allow", "allow here", "allow 192.168.1.0/24", "allow 192.168.1.77/24"] {
        let mut policy = Policy::default();
        let at_home = || around("eth0", InterfaceKind::Ethernet);
        done_in(at_home(), &mut policy, words).unwrap();
        assert_eq!(policy.networks.len(), 1, "{words}");
        assert_eq!(policy.networks[0].to_string(), "192.168.1.0/24");
        done_in(at_home(), &mut policy, &words.replace("allow", "deny")).unwrap();
        assert_eq!(policy, Policy::default(), "{words}");
    }
}

#[test]
fn a_vpn_is_allowed_only_by_its_own_name() {
    let vpn = || around("wg0", InterfaceKind::Vpn);
    let mut policy = Policy::default();
    for words in ["allow here", "allow 192.168.1.0/24"] {
        assert_eq!(
            done_in(vpn(), &mut policy, words).unwrap_err().code,
            ErrorCode::NotFound
        );
    }
    done_in(vpn(), &mut policy, "allow wg0").unwrap();
    assert_eq!(policy.interfaces, ["wg0"]);
    done_in(vpn(), &mut policy, "deny wg0").unwrap();
    assert_eq!((policy.interfaces.len(), policy.closed.len()), (0, 1));
    done_in(vpn(), &mut policy, "allow wg0").unwrap();
    assert_eq!((policy.interfaces.len(), policy.closed.len()), (1, 0));
}

#[test]
fn a_card_that_was_closed_is_first_of_all_open_again() {
    let card = || around("eth0", InterfaceKind::Ethernet);
    let mut policy = Policy::default();
    done_in(card(), &mut policy, "deny eth0").unwrap();
    assert_eq!(policy.closed, ["eth0"]);
    done_in(card(), &mut policy, "allow eth0").unwrap();
    assert_eq!(policy, Policy::default());
    done_in(card(), &mut policy, "allow eth0").unwrap();
    assert_eq!(policy.interfaces, ["eth0"]);
}
