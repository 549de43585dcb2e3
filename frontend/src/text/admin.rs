//! Texts of the admin page.

use beckon_shared::api::admin::{Finding, Level, Topic};

use super::Lang;

texts! {
    not_admin = "Only administrators see this page" | "只有管理员可以查看此页面";
    not_admin_says = "It shows how the server is and who has an account. Ask an administrator of this server if you need something of it." | "此页面显示服务器状态与账号情况。如有需要，请联系此服务器的管理员。";
    to_machines = "Go to your machines" | "前往机器列表";
    failed = "The server's figures did not come" | "未能读取服务器数据";
    /// Figures.
    online = "Devices online" | "在线设备";
    of_devices(count) = "of {count}" | "/ {count}";
    online_note(online, machines, accounts, word) = "{online} of {machines} machines · {accounts} {word}" | "机器 {online} / {machines} · {accounts} 个账号";
    stored = "Stored on disk" | "磁盘占用";
    saved(dedup, compression) = "{dedup} saved by deduplication, {compression} by compression" | "去重节省 {dedup}，压缩节省 {compression}";
    disk_free(free, total) = "{free} of {total} free on the disk" | "磁盘剩余 {free}，共 {total}";
    disk_used = "Disk in use" | "磁盘使用率";
    traffic_now = "Traffic now" | "当前流量";
    rate_in(unit) = "{unit} in" | "{unit} 流入";
    rate_out(rate) = "{rate} out" | "{rate} 流出";
    since_start(received, sent) = "{received} in, {sent} out since the start" | "启动以来流入 {received}，流出 {sent}";
    measuring = "measuring" | "正在测量";
    memory = "Memory of the server" | "服务器内存";
    version(version) = "Beckon {version}" | "Beckon {version}";
    up_for(time) = "up for {time}" | "已运行 {time}";
    days(days, hours) = "{days} d {hours} h" | "{days} 天 {hours} 小时";
    /// Charts.
    span = "Time that the charts show" | "图表时间范围";
    day = "Day" | "日";
    month = "Month" | "月";
    year = "Year" | "年";
    stored_bytes = "Stored bytes" | "存储量";
    on_disk = "On disk" | "磁盘占用";
    unique = "After deduplication" | "去重后";
    content = "Content" | "原始内容";
    traffic = "Traffic through the server" | "服务器流量";
    received = "Received" | "接收";
    sent = "Sent" | "发送";
    time = "Time" | "时间";
    now = "now" | "现在";
    today = "today" | "今天";
    hour_from(from, to) = "{from} to {to}" | "{from} 至 {to}";
    at(day, clock) = "{day}, {clock}" | "{day} {clock}";
    one_sample_day = "Nothing to draw yet. The chart begins with the second sample, five minutes after the first." | "暂无可绘制的数据。首个采样五分钟后取得第二个采样，图表随即开始。";
    one_sample_month = "Nothing to draw yet. The chart begins with the second sample, three hours after the first. Day shows more." | "暂无可绘制的数据。首个采样三小时后取得第二个采样，图表随即开始。可先查看“日”。";
    one_sample_year = "Nothing to draw yet. The chart begins with the second sample, a day after the first. Day shows more." | "暂无可绘制的数据。首个采样一天后取得第二个采样，图表随即开始。可先查看“日”。";
    /// Accounts.
    accounts = "Accounts" | "账号";
    find = "Find" | "查找";
    find_account = "Find an account" | "查找账号";
    none_found = "No account has this in its name." | "没有名称包含此内容的账号。";
    name = "Name" | "名称";
    state = "State" | "状态";
    devices = "Online" | "在线设备";
    used = "Used" | "已用";
    last_visit = "Last visit" | "最近访问";
    never = "never" | "从未";
    actions = "Actions" | "操作";
    more_for(name) = "More for {name}" | "{name} 的更多操作";
    administrator = "admin" | "管理员";
    active = "active" | "正常";
    disabled = "disabled" | "已停用";
    online_of(online, devices) = "{online} of {devices}" | "{online} / {devices}";
    used_of(used, quota) = "{used} of {quota}" | "{used} / {quota}";
    quota_used_by(name) = "Quota that {name} uses" | "{name} 的配额使用率";
    quota_more = "Quota …" | "配额…";
    disable_more = "Disable …" | "停用…";
    enable = "Enable" | "启用";
    enabled(name) = "{name} can sign in again" | "{name} 可以重新登录";
    was_disabled(name) = "{name} is disabled" | "{name} 已停用";
    disable_title(name) = "Disable {name}?" | "停用 {name}？";
    disable_says(name) = "Everybody who is signed in as {name} is signed out at once, its machines are cut off, and its transfers stop. Nothing is deleted: what it stored stays, and all of it works again when you enable the account." | "以 {name} 登录的所有设备会立即退出，其机器会断开连接，传输会停止。不会删除任何内容：已存储的内容会保留，重新启用账号后一切恢复。";
    disable_keep = "Keep it enabled" | "保持启用";
    disable = "Disable account" | "停用账号";
    /// Quota.
    quota_title(name) = "Quota of {name}" | "{name} 的配额";
    quota_says(used) = "It uses {used} now. Nothing is deleted when that is more than the quota; only new uploads wait." | "目前已用 {used}。超出配额时不会删除内容，只是新的上传会等待。";
    no_limit = "Unlimited storage" | "不限存储量";
    no_limit_hint = "As much as the disk holds." | "以磁盘容量为限。";
    size = "Quota" | "配额";
    unit = "Unit" | "单位";
    size_problem = "Write a size as a number, such as 500 or 1.5." | "请用数字填写大小，例如 500 或 1.5。";
    size_too_large = "This is more than any disk holds. Write a smaller size, or choose unlimited storage." | "超出任何磁盘的容量。请填写较小的值，或选择不限存储量。";
    /// Invitations.
    invite = "Invite" | "邀请";
    invite_title = "Invite a person" | "邀请成员";
    invite_says = "You get a link for one person to make an account with." | "将生成一个链接，供一人创建账号。";
    valid = "Valid for" | "有效期";
    valid_days(days, word) = "{days} {word}" | "{days} 天";
    as_admin = "Administrator" | "管理员";
    as_admin_hint = "Sees this page, and may invite, limit and disable others." | "可查看此页面，并可邀请、限制和停用他人。";
    make_link = "Make link" | "生成链接";
    making_link = "Making the link" | "正在生成链接";
    link = "Link to send" | "要发送的链接";
    link_once = "It is shown only now and works once. Send it by a way that only this person reads." | "链接仅此时显示，且只能使用一次。请通过仅对方可见的方式发送。";
    link_loopback = "This page was opened at an address that only this computer reaches, and so would the link be. For a person elsewhere, open Beckon by the server's address in your network and make the link there." | "当前页面的地址只有本机可以访问，生成的链接也一样。要邀请其他地方的人，请用服务器在网络中的地址打开 Beckon，再生成链接。";
    link_until(until) = "Valid until {until}" | "有效期至 {until}";
    done = "Done" | "完成";
    invitations = "Open invitations" | "未使用的邀请";
    for_admin = "For an administrator" | "管理员邀请";
    for_member = "For a member" | "成员邀请";
    with_quota(quota) = "quota {quota}" | "配额 {quota}";
    without_quota = "no quota" | "不限配额";
    made = "made" | "创建于";
    withdraw = "Withdraw" | "撤回";
    withdraw_label(until) = "Withdraw the invitation that is valid until {until}" | "撤回有效期至 {until} 的邀请";
    withdrawn = "The invitation is withdrawn; its link works no more" | "邀请已撤回，链接已失效";
    /// Transfers.
    transfers = "Transfers under way" | "进行中的传输";
    no_transfers = "Nothing is being transferred now. Uploads of all accounts show here, without names of files." | "目前没有传输。所有账号的上传会显示在此处，但不显示文件名。";
    account = "Account" | "账号";
    machine = "Machine" | "机器";
    progress = "Progress" | "进度";
    progress_of(machine) = "Progress of {machine}" | "{machine} 的进度";
    queued = "queued" | "排队";
    running = "running" | "进行中";
    over = "over" | "已结束";
    /// Health.
    health = "Health" | "健康状况";
    all_well = "All well" | "一切正常";
    to_look_at(count) = "{count} to look at" | "{count} 项需留意";
    to_mend(count) = "{count} to mend" | "{count} 项需修复";
    well = "well" | "正常";
    look = "look" | "需留意";
    broken = "broken" | "故障";
    database = "Database" | "数据库";
    disk = "Disk" | "磁盘";
    room = "Room on the disk" | "磁盘空间";
    work = "Background work" | "后台任务";
    tls = "Encryption on the way" | "传输加密";
    uploads = "Uploads" | "上传";
    /// Background work.
    collect = "Freeing unused space" | "回收空间";
    expiry = "Removing what has expired" | "清理过期内容";
    stats = "Samples for the charts" | "图表采样";
    working = "working" | "进行中";
    not_yet = "not yet" | "尚未运行";
    next_at(time) = "next at {time}" | "下次 {time}";
}

/// What was found: the server's own sentence in English, one for each topic and level in Chinese.
pub(crate) fn finding(found: &Finding) -> String {
    match super::lang() {
        Lang::En => found.text.clone(),
        Lang::Zh => chinese(found.topic, found.level).to_owned(),
    }
}

fn chinese(topic: Topic, level: Level) -> &'static str {
    match (topic, level) {
        (_, Level::Well) => "一切正常。",
        (Topic::Database, Level::Look) => "数据库繁忙，更改需等待 2 秒以上。请检查其磁盘是否过慢。",
        (Topic::Database, Level::Broken) => "数据库无法写入。请查看服务器日志，并检查磁盘是否已满或只读。",
        (Topic::Disk, _) => {
            "磁盘未能写入数据。请检查磁盘和服务器日志。已标为安全的内容没有丢失；磁盘恢复后上传会继续。"
        }
        (Topic::Room, Level::Look) => "磁盘空间即将用尽。请尽快腾出空间，以免上传等待。",
        (Topic::Room, Level::Broken) => "磁盘已满，上传正在等待。请在服务器上腾出空间，或更换更大的磁盘。",
        (Topic::Workers, _) => "后台任务未能按时完成。请查看服务器日志；任务会自动重试。",
        (Topic::Tls, _) => {
            "浏览器未通过 TLS 访问，途中的任何人都可能读取和篡改内容。请设置 --tls-cert 与 --tls-key，或在服务器前放置 TLS 代理并设置 --public-url https://…"
        }
        (Topic::Transfers, _) => "过去 24 小时内有上传失败，所有者可在“传输”中查看原因。",
    }
}
