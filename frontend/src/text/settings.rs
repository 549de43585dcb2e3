//! Texts of settings: account, security, this browser, about.

texts! {
    account = "Account" | "账号";
    name = "Name" | "用户名";
    admin = "Administers this server" | "管理此服务器";
    drive = "Drive" | "云盘";
    drive_of(used, quota) = "{used} of {quota} used" | "已用 {used}，共 {quota}";
    drive_used(used) = "{used} used" | "已用 {used}";
    password = "Password" | "密码";
    password_sub = "It opens your account's key. All other sessions end when you change it." | "密码用于打开账号密钥。更改后，其他会话都会结束。";
    change_password = "Change password" | "更改密码";
    changing = "Changing your password" | "正在更改密码";
    changed = "The password is changed; all other sessions have ended" | "密码已更改，其他会话均已结束";
    wrong_password = "This is not your current password. Type it again, or recover the account with your words." | "当前密码不正确。请重新输入，或使用恢复单词恢复账号。";
    security = "Security" | "安全";
    sessions = "Signed in" | "登录会话";
    session_here = "this browser" | "此浏览器";
    session_sub(address, until) = "{address} · until {until}" | "{address} · 有效期至 {until}";
    session_used = "last used " | "最近使用：";
    end = "End" | "结束";
    end_label(device) = "End the session of {device}" | "结束 {device} 的会话";
    ended(device) = "The session of {device} has ended" | "{device} 的会话已结束";
    devices = "Devices" | "设备";
    devices_sub = "Every machine, browser and command line of this account. Remove one to lock it out for good." | "此账号的所有机器、浏览器和命令行。移除后，该设备将永久失去访问权限。";
    show_devices = "Show devices" | "查看设备";
    browser = "This browser" | "此浏览器";
    language = "Language" | "语言";
    theme = "Theme" | "主题";
    theme_system = "System" | "跟随系统";
    theme_light = "Light" | "浅色";
    theme_dark = "Dark" | "深色";
    letter_keys = "Commands by single letters" | "单字母快捷键";
    letter_keys_sub = "Such as u to upload and / to search. Press ? on any page for all of them." | "例如按 u 上传、按 / 搜索。在任意页面按 ? 可查看全部快捷键。";
    install = "Install as an app" | "安装为应用";
    install_sub = "Your browser's menu puts Beckon beside your other programs." | "可通过浏览器菜单将 Beckon 安装到桌面。";
    install_insecure = "Needs https: over plain http browsers do not install apps." | "需要 https：通过普通 http 访问时，浏览器无法安装应用。";
    sign_out = "Sign out" | "退出登录";
    sign_out_sub(device) = "This browser ({device}) keeps its place in the list of devices, and nothing that opens your account." | "此浏览器（{device}）仍保留在设备列表中，但不再保存任何可打开账号的内容。";
    about = "About" | "关于";
    version(version) = "Beckon {version}" | "Beckon {version}";
    licence = "Free software under the Apache License 2.0" | "自由软件，采用 Apache License 2.0 许可";
}
