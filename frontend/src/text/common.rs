//! Texts that stand on every page: navigation, banner, dialogs, lists.

texts! {
    brand = "Beckon" | "Beckon";
    skip = "Skip to content" | "跳到正文";
    main_nav = "Main" | "主导航";
    machines = "Machines" | "机器";
    drive = "Drive" | "云盘";
    transfers = "Transfers" | "传输";
    search = "Search" | "搜索";
    admin = "Admin" | "管理";
    settings = "Settings" | "设置";
    more = "More" | "更多";
    cancel = "Cancel" | "取消";
    close = "Close" | "关闭";
    retry = "Try again" | "重试";
    undo = "Undo" | "撤销";
    copy = "Copy" | "复制";
    copied = "Copied" | "已复制";
    loading = "Loading" | "正在加载";
    path = "Path" | "路径";
    folded = "Folders between" | "中间的文件夹";
    up_to(name) = "Up to {name}" | "返回 {name}";
    select_all = "Select all" | "全选";
    select(name) = "Select {name}" | "选择 {name}";
    try_now = "Try now" | "立即重试";
    online = "Online" | "在线";
    away = "Away" | "离线";
    not_known = "Not known" | "未知";
    details = "Details" | "详情";
    open = "Open" | "打开";
    show = "Show" | "查看";
    rename = "Rename" | "重命名";
    rename_more = "Rename …" | "重命名…";
    save = "Save" | "保存";
    name = "Name" | "名称";
    all = "All" | "全部";
    filter = "Filter" | "筛选";
    reload = "Reload" | "重新加载";
    sign_in = "Sign in" | "登录";
    lost_title = "No connection to the server." | "与服务器的连接已断开，";
    lost_in(seconds) = "Trying again in {seconds} s. What you see may be old." | "{seconds} 秒后重试。当前内容可能不是最新的。";
    lost_trying = "Trying again now. What you see may be old." | "正在重试。当前内容可能不是最新的。";
    quota(used, total) = "{used} of {total} in the drive" | "云盘已用 {used}，共 {total}";
    used(used) = "{used} in the drive" | "云盘已用 {used}";
    title(page) = "{page} · Beckon" | "{page} · Beckon";
    messages = "Messages" | "消息";
    /// A label is not fit to be a name.
    bad_name = "A name has 1 to 64 characters, none of them “/” or “:”, and is not “.” or “..”." | "名称须为 1 到 64 个字符，不能包含“/”或“:”，也不能是“.”或“..”。";
}
