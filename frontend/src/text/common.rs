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
    you = "you" | "你";
    lost(seconds) = "No connection to the server. Trying again in {seconds} s. What you see may be old." | "与服务器的连接已断开，{seconds} 秒后重试。当前内容可能不是最新的。";
    lost_now = "No connection to the server. Trying again now. What you see may be old." | "与服务器的连接已断开，正在重试。当前内容可能不是最新的。";
    try_now = "Try now" | "立即重试";
}
