//! Texts of the control list and of adding a machine.

use beckon_shared::device::DeviceView;

texts! {
    add = "Add machine" | "添加机器";
    add_title = "Add a machine" | "添加机器";
    machines = "Machines" | "机器";
    browsers = "Browsers" | "浏览器";
    command_line = "Command line" | "命令行";
    others = "Browsers and command line" | "浏览器和命令行";
    removed = "Removed" | "已移除";
    name = "Name" | "名称";
    state = "State" | "状态";
    route = "Route" | "线路";
    address = "Address" | "地址";
    last_visit = "Last visit" | "上次访问";
    now = "now" | "刚刚";
    this_browser = "This browser" | "此浏览器";
    more_for(name) = "More for {name}" | "更多操作：{name}";
    folders(count, word) = "{count} {word}" | "开放 {count} 个文件夹";
    no_folders = "no folder open" | "未开放文件夹";
    uploading(files, percent) = "Uploading {files} · {percent} %" | "正在上传 {files} · {percent} %";
    uploading_first = "Uploading, looking for files" | "正在上传，正在查找文件";
    waits(count, word) = "{count} {word} for it" | "有 {count} 项传输在等它上线";
    by_code = "joined by code" | "通过代码加入";
    confirmed(name) = "{name} is confirmed as your machine" | "已确认 {name} 是你的机器";
    by_code_elsewhere = "It joined by a join code. The server says that it was confirmed on another terminal, which this browser cannot check. Confirm it here if it is yours; remove it if it is not." | "它通过加入代码加入。服务器称它已在其他终端上确认，但此浏览器无法核实。若是你的机器请在此确认，否则请移除。";
    by_code_says = "It joined by a join code. Confirm it if it is yours; remove it if it is not." | "它通过加入代码加入。若是你的机器请确认，否则请移除。";
    confirm = "Confirm" | "确认";
    remove_more = "Remove …" | "移除…";
    sign_out = "Sign out" | "退出登录";
    empty = "No machines yet" | "还没有机器";
    empty_says = "Add the one whose files you miss most. It takes one command." | "添加你最需要其文件的那台机器，只需一条命令。";
    nothing_found = "Nothing has this name" | "没有匹配的设备";
    nothing_found_says = "The filter hides all of them." | "筛选条件隐藏了所有设备。";
    clear_filter = "Clear the filter" | "清除筛选";
    /// Adding a machine.
    add_says = "Run this on the machine whose files you want to reach. It works once and for the next 15 minutes." | "请在要访问的那台机器上运行下面的命令。命令只能用一次，15 分钟内有效。";
    system = "System of the machine" | "机器的系统";
    folder = "Folder to open" | "要开放的文件夹";
    folder_hint = "Only what you open can be reached. You can add more later, on the machine." | "只有开放的文件夹可以访问。以后可在那台机器上继续添加。";
    folder_problem = "Write a folder of that machine, such as ~/Documents." | "请填写那台机器上的文件夹，例如 ~/Documents。";
    writable = "Allow Beckon to write into this folder" | "允许 Beckon 写入此文件夹";
    writable_hint = "Needed only if this machine is to receive files." | "仅当这台机器需要接收文件时才要勾选。";
    command = "Command" | "命令";
    make_code = "Make the command" | "生成命令";
    code_wants_password = "The command holds a join code, good for one machine and 15 minutes. Your account's key signs it, and only your password opens that." | "命令中包含加入代码，仅限一台机器使用，15 分钟内有效。代码由账号密钥签发，而密钥只能用密码打开。";
    expired = "This command has expired." | "此命令已过期。";
    again = "Make a new command" | "生成新命令";
    get_it = "Beckon is not on it yet? Copy the program there first: one file, beckon, which whoever runs the server has beside beckon-server. A machine with another system needs one that was built for it." | "那台机器还没有 Beckon？请先把程序复制过去：只有一个文件 beckon，与服务器程序放在一起，可向服务器管理员索取。系统不同的机器需要为其构建的程序。";
    loopback = "This page was opened at an address that only this computer reaches. To add another machine, open Beckon by the server's address in your network." | "当前页面的地址只有本机可以访问。要添加其他机器，请用服务器在网络中的地址打开 Beckon。";
    waiting = "Waiting for the machine …" | "正在等待机器加入……";
    waiting_says = "It appears here by itself as soon as it joins." | "加入后会自动显示在这里。";
    left(time) = "{time} left" | "剩余 {time}";
    joined(name) = "{name} joined." | "{name} 已加入。";
    joined_says = "Its folders can be opened now." | "现在可以打开它的文件夹。";
    joined_away_says = "It is in the list, and online as soon as “beckon run” runs there." | "它已在列表中，运行 beckon run 后即会上线。";
    open_it = "Open" | "打开";
}

/// Why a machine is marked as one that joined by a code.
pub(crate) fn by_code_why(view: &DeviceView) -> &'static str {
    if view.joined_by_code {
        by_code_says()
    } else {
        by_code_elsewhere()
    }
}
