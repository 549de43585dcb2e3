//! Debug.
use beckon_tests::{Account, Server, page::{button, role, text}};
use crate::scene;
#[test]
fn mia_debug() {
    let server = Server::start();
    let _ann = Account::sign_up(&server, "ann");
    let source = tempfile::tempdir().unwrap();
    let file = source.path().join("a.txt");
    std::fs::write(&file, "hello").unwrap();
    let page = scene::sign_in(&server, "ann");
    page.go("/drive/Files");
    page.see(text("This folder is empty"));
    page.click(button("Put files here"));
    page.click(role("menuitem", "Choose files …"));
    page.script("window.log=[]; const f=document.querySelector('.file-field'); window.f=f; f.addEventListener('change', e=>log.push('change '+f.files.length)); f.addEventListener('cancel', e=>log.push('cancel'));", &[]);
    page.choose_files("input.file-field", &[&file]);
    std::thread::sleep(std::time::Duration::from_secs(4));
    eprintln!("LOG {}", page.script("return [window.log, document.querySelectorAll('.file-field').length, window.f && window.f.files.length, document.body.innerText]", &[]));
    eprintln!("CONSOLE {}", page.console());
    eprintln!("{:?}", page.screenshot("mia-debug"));
    eprintln!("SERVER LOG");
}
