//! What went wrong, for people. Programs tell it in English, and that is the sentence; in Chinese a sentence for its code
//! stands before the program's own words.

use beckon_shared::{
    error::{ErrorCode, Refusal},
    transfer::Problem,
};

use super::Lang;
use crate::format;

texts! {
    /// No answer came at all.
    no_connection = "No connection to the server. Nothing was changed. Check the network, then try again." | "无法连接到服务器，未做任何更改。请检查网络后重试。";
    /// The answer was not ours.
    not_understood = "The server's answer was not understood. Reload the page; if it stays so, update the server." | "无法识别服务器的响应。请重新加载页面；若仍有问题，请更新服务器。";
    /// A worker is needed and there is none.
    no_worker = "This browser cannot run what is needed here in the background. Reload the page; if it stays so, update the browser." | "此浏览器无法在后台运行所需的程序。请重新加载页面；若仍有问题，请更新浏览器。";
    /// The server knows another key than the one that was pinned.
    other_account = "The server shows another account than the one that this browser signed in to. Sign in again, and tell the server's administrator if you did not expect this." | "服务器返回的账号与此浏览器登录的账号不一致。请重新登录；若非预期，请告知服务器管理员。";
    /// A request does not fit into a frame.
    request_too_large = "This is too much at once. Do it in smaller parts." | "一次处理的内容过多，请分批进行。";
    /// A session with a machine ended.
    machine_cut = "The private channel to the machine broke. Nothing was changed. Check that it is online, then try again." | "与机器的专用通道已中断，未做任何更改。请确认机器在线后重试。";
    /// A machine did not answer.
    machine_silent = "The machine did not answer in two minutes. Try again; if it stays so, look whether its disk is busy." | "机器在两分钟内没有响应。请重试；若仍无响应，请检查其磁盘是否繁忙。";
    /// Words of another program, behind a sentence of the app.
    original(words) = "({words})" | "（原文：{words}）";
    /// A machine gives a reason of its own.
    machine_says(machine, words) = "The machine {machine} says: {words}" | "机器 {machine}：{words}";
    /// A file was written while it was being read from a machine.
    machine_changing = "The file changed on the machine while it was being read. Nothing was saved. Download it again; if it keeps changing, upload it to the drive." | "文件在读取期间发生了变化，未保存任何内容。请重新下载；若仍在变化，请将其上传到云盘。";
    /// A machine answered something else.
    machine_strange = "The machine answered something else than was asked. Update Beckon on the machine or on the server, whichever is older." | "机器的响应与请求不符。请更新机器或服务器上较旧的 Beckon。";
    /// A machine is not in the control list.
    no_machine = "This machine or folder is not in your list any more. Go back to your machines." | "此机器或文件夹已不在你的列表中。请返回机器列表。";
    /// Nobody is signed in.
    signed_out = "You are not signed in any more. Sign in again." | "登录已失效，请重新登录。";
}

/// No program's own words are shown at greater length. Characters.
const LONGEST: usize = 300;

/// The sentence to show.
pub(crate) fn of(refusal: &Refusal) -> String {
    let told = shown(&refusal.message);
    match super::lang() {
        Lang::En => sentence(&told),
        Lang::Zh if is_chinese(&told) => told,
        Lang::Zh => beside(chinese(refusal.code), refusal.code, &told),
    }
}

/// What a machine refused, as its own words and not the app's.
pub(crate) fn of_machine(machine: &str, refusal: &Refusal) -> String {
    let told = shown(&refusal.message);
    let words = match super::lang() {
        Lang::En => told,
        Lang::Zh => beside(chinese_of_machine(refusal.code), refusal.code, &told),
    };
    machine_says(&machine, &words)
}

/// The sentence for an entry that was not stored.
pub(crate) fn of_entry(problem: &Problem) -> String {
    let told = shown(&problem.message);
    match super::lang() {
        Lang::En => sentence(&told),
        Lang::Zh => beside(chinese_of_entry(problem.code), problem.code, &told),
    }
}

/// Whether a text is one of the app's own: those of other programs begin in English.
fn is_chinese(text: &str) -> bool {
    text.starts_with(|c| matches!(c, '\u{4e00}'..='\u{9fff}'))
}

/// A sentence for a code with the program's own words behind it, where the code alone does not tell what is to be done.
fn beside(says: &str, code: ErrorCode, told: &str) -> String {
    match tells_all(code) || told.is_empty() {
        true => says.to_owned(),
        false => format!("{says}{}", original(&told)),
    }
}

fn tells_all(code: ErrorCode) -> bool {
    use ErrorCode as Code;
    match code {
        Code::NotSignedIn | Code::WrongPassword | Code::Revoked | Code::CodeSpent | Code::BadSetupCode => true,
        Code::NotFound | Code::NameTaken | Code::NotAFile | Code::Changing => true,
        Code::NoRoom | Code::Away | Code::GoingAway => true,
        Code::BadRequest | Code::NotAllowed | Code::Conflict | Code::TooLarge | Code::TooMany => false,
        Code::Damaged | Code::NotReadable | Code::BadOrder | Code::BadVersion | Code::BadClock => false,
        Code::Internal => false,
    }
}

/// Words of another program, without what would move or hide those of the page.
pub(crate) fn shown(message: &str) -> String {
    let cut = message.char_indices().nth(LONGEST).map(|(end, _)| &message[..end]);
    let end = if cut.is_some() { "…" } else { "" };
    format!("{}{end}", format::name(cut.unwrap_or(message)))
}

/// Messages of programs begin small and end without a full stop; on a page they are sentences.
pub(crate) fn sentence(message: &str) -> String {
    let mut chars = message.chars();
    let first = chars
        .next()
        .map(|first| first.to_uppercase().to_string())
        .unwrap_or_default();
    let end = if message.ends_with(['.', '?', '!', '…']) {
        ""
    } else {
        "."
    };
    format!("{first}{}{end}", chars.as_str())
}

fn chinese_of_entry(code: ErrorCode) -> &'static str {
    use ErrorCode as Code;
    match code {
        Code::BadRequest => "此名称无法存入云盘。请改名后重新放入。",
        Code::NameTaken => "所选内容中有重名项。请改名后重新放入。",
        Code::NotFound => "它已不在原处。请在现在的位置重新选择。",
        Code::NotReadable => "无权读取，或未能完整读取。请检查读取权限后重试。",
        Code::Changing => "文件已改动或仍在变化。请稍后重试，或重新放入。",
        other => chinese(other),
    }
}

fn chinese_of_machine(code: ErrorCode) -> &'static str {
    use ErrorCode as Code;
    match code {
        Code::Damaged => "数据已损坏，无法读取。请检查机器的磁盘。",
        Code::BadVersion => "程序版本不匹配。请更新机器或服务器上较旧的 Beckon。",
        Code::Internal => "机器发生错误。请稍后重试；若仍有问题，请查看机器的日志。",
        other => chinese(other),
    }
}

fn chinese(code: ErrorCode) -> &'static str {
    use ErrorCode as Code;
    match code {
        Code::BadRequest => "请求无效。请检查输入内容后重试。",
        Code::NotSignedIn => "登录已失效，请重新登录。",
        Code::WrongPassword => "用户名或密码不正确，请重新输入。",
        Code::NotAllowed => "你没有执行此操作的权限。",
        Code::Revoked => "此设备的授权已被撤销，请重新登录。",
        Code::NotFound => "未找到该内容，它可能已被移动或删除。请刷新后重试。",
        Code::NameTaken => "该名称已被使用，请换一个名称。",
        Code::Conflict => "当前状态下无法执行此操作。请刷新后重试。",
        Code::CodeSpent => "此代码已使用或已过期，请获取新的代码。",
        Code::BadSetupCode => "设置码不正确。请完整复制服务器显示的代码。",
        Code::TooLarge => "内容过大，请减少后重试。",
        Code::TooMany => "请求过于频繁，请稍候重试。",
        Code::NoRoom => "空间不足。请腾出空间后重试；已收到的内容不会重传。",
        Code::Away => "机器已离线，上线后可重试。",
        Code::GoingAway => "服务器正在重启，请稍候重试。",
        Code::Damaged => "数据已损坏，无法读取。请让服务器管理员进行检查。",
        Code::NotReadable => "无权读取此内容。请授予读取权限后重试；在其他机器上，请授权给运行 Beckon 的账号。",
        Code::NotAFile => "这不是普通文件，无法读取。",
        Code::Changing => "文件正在变化，请稍后重试。",
        Code::BadOrder => "机器拒绝了此指令。请重新登录后再试。",
        Code::BadVersion => "程序版本不匹配。请重新加载页面或更新服务器。",
        Code::BadClock => "时钟不一致。请校准设备时间后重试。",
        Code::Internal => "服务器发生错误。请稍后重试；若仍有问题，请查看服务器日志。",
    }
}

#[cfg(test)]
mod tests {
    use wasm_bindgen_test::wasm_bindgen_test;

    use beckon_shared::error::{ErrorCode, Refusal};

    use super::{LONGEST, of, of_machine, shown};
    use crate::text::{Lang, error, set_lang};

    #[wasm_bindgen_test]
    fn words_of_other_programs_neither_hide_nor_fill_the_page() {
        assert_eq!(shown("no such file"), "no such file");
        assert_eq!(shown("a\u{202e}b\nc"), "a\u{fffd}b\u{fffd}c");
        let long = shown(&"图".repeat(LONGEST + 1));
        assert_eq!((long.chars().count(), long.ends_with('…')), (LONGEST + 1, true));
    }

    #[wasm_bindgen_test]
    fn in_chinese_problems_of_one_code_read_apart_and_the_apps_own_words_stay() {
        set_lang(Lang::Zh);
        let told = |message: &str| of(&Refusal::new(ErrorCode::BadRequest, message));
        let (one, other) = (told("the range is empty"), told("the name is too long"));
        let cut = of(&Refusal::new(ErrorCode::Away, error::machine_cut()));
        let refusal = Refusal::new(ErrorCode::Internal, "the disk is gone");
        let machine = of(&Refusal::new(refusal.code, of_machine("desk", &refusal)));
        set_lang(Lang::En);
        assert!(one.starts_with("请求无效") && one.contains("the range is empty") && one != other);
        assert!(cut.starts_with("与机器的专用通道已中断"), "{cut}");
        assert!(
            machine.starts_with("机器 desk：机器发生错误") && machine.ends_with("（原文：the disk is gone）"),
            "{machine}"
        );
    }
}
