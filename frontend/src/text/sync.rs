//! Texts of what is kept current, copied and sent.

use beckon_shared::transfer::Task;

texts! {
    kept_current = "Kept current" | "持续保持最新";
    watching = "Watching" | "持续上传";
    following = "Following" | "持续复制";
    copying = "Copying" | "复制";
    sending = "Sending" | "发送";
    upload = "Upload" | "上传";
    watched = "Watched" | "曾持续上传";
    followed = "Followed" | "曾持续复制";
    copied = "Copied" | "已复制";
    sent = "Sent" | "已发送";
    stop_watching = "Stop watching" | "停止持续上传";
    stop_following = "Stop following" | "停止持续复制";
    stopped = "Stopped" | "已停止";
    current = "Up to date" | "已是最新";
    current_since(time) = "Up to date since {time}" | "自 {time} 起为最新";
    current_but = "Up to date but for some files" | "除部分文件外已是最新";
    to_choose = "Waits for a choice" | "等待选择";
    holds(files, bytes) = "{files} · {bytes}" | "{files} · {bytes}";
    written(files, bytes) = "{files} · {bytes}, written" | "{files} · {bytes}，已写入";
    nothing_new = "Nothing to write, all was there" | "无需写入，内容均已存在";
    stays = "What is there stays" | "已有内容保留不变";
    waits_for_sender(name) = "waits for {name}" | "等待 {name} 发送";
    /// Where bytes of a copy came from.
    own = "From this machine" | "来自本机";
    own_says = "it had them in other files" | "本机其他文件中已有";
    direct = "From machines directly" | "直接来自其他机器";
    direct_says = "past the server" | "未经服务器";
    server = "From the server" | "来自服务器";
    figure_written = "Not written" | "未能写入";
    figure_conflicts = "Changed in the copy" | "副本中有改动";
    fact_from = "Copied from" | "复制自";
    fact_sender = "Sent by" | "发送方";
    fact_to = "Written to" | "写入到";
    fact_kept = "Kept uploaded" | "持续上传";
    show_on_machine = "Show on machine" | "在机器上查看";
    problems = "Files that were not written as they are" | "未能原样写入的文件";
    /// Why lines.
    why_conflicts(machine, count, word) = "{count} {word} changed on {machine}, where the copy is. Choose which side stays; nothing of either is lost." | "{machine} 上的副本中有 {count} 个文件被改动。请选择保留哪一方，任何一方的内容都不会丢失。";
    show_conflicts = "Choose" | "去选择";
    goes_on_back = "It goes on by itself when it is back." | "上线后会自动继续。";
    starts_until(end) = "It starts by itself when the machine is back. The order stands until {end}." | "机器上线后会自动开始。指令有效期至 {end}。";
    why_gone = "The machine is away. It goes on by itself when it is back." | "机器已离线，上线后会自动继续。";
    why_disk_full(machine) = "The disk of {machine} is full. What is written stays. Free some space there; it then goes on by itself." | "{machine} 的磁盘已满。已写入的内容会保留。请在该机器上腾出空间，之后会自动继续。";
    why_missing_watched(machine) = "Many files that were stored before are missing on {machine}, or the folder is gone. Look whether its disk is in place. If they are to be gone, let it go on: they then lie in Deleted of the drive for 30 days." | "{machine} 上许多以前存入的文件不见了，或文件夹已不存在。请检查磁盘是否已接好。若这些文件确实不再需要，可继续：它们会移至云盘的“已删除”并保留 30 天。";
    why_missing_copied(machine) = "Much of the copy would change at once: many of its files are missing on {machine}, or were deleted at the source. Look whether the disk is in place. If it is meant, let it go on: what is deleted lies in the trash of {machine} for 30 days." | "副本将有大量变动：{machine} 上许多文件不见了，或已在来源处删除。请检查磁盘是否已接好。若属正常，可继续：删除的文件会在 {machine} 的回收站中保留 30 天。";
    why_failed = "It stopped. What is written stays." | "已停止，已写入的内容会保留。";
    why_partly(count, word) = "{count} {word} could not be written. All others are there." | "{count} 个文件未能写入，其余均已写入。";
    why_lapsed(span) = "The order lapsed after {span}. What is written stays. Give the order again." | "指令已在 {span}后失效。已写入的内容会保留，请重新下达。";
    why_lost = "The machine did not come back in time. What is written stays. Give the order again when it is here." | "机器未在期限内上线。已写入的内容会保留，请在它上线后重新下达。";
    why_revoked = "The machine was removed. Add it again, then give the order again." | "机器已被移除。请重新添加机器后再下达。";
    sent_from_here(done, total) = "This browser has sent {done} of {total}. Leave the page open until all is sent." | "此浏览器已发送 {done} / {total}。发送完成前请勿关闭页面。";
    sent_full(done, total) = "Your drive is full, and what is sent passes it. This browser has sent {done} of {total}, and goes on by itself as soon as there is room." | "云盘已满，而发送的内容需经过云盘。此浏览器已发送 {done} / {total}，腾出空间后会自动继续。";
    ask_cancel_says(kept) = "{kept} is written and stays. The rest is not written." | "已写入的 {kept} 会保留，其余不再写入。";
    /// Notifications.
    told_written(what, machine) = "{what} is on {machine}" | "{what} 已在 {machine} 上";
    told_partly(what) = "{what}: some files were not written" | "{what}：部分文件未能写入";
    told_failed(what) = "{what} was not written" | "{what} 未能写入";
    told_stopped(what) = "{what} is not kept current any more" | "{what} 已不再保持最新";
    /// A machine's root: what is kept of it.
    keep_uploaded = "Keep uploaded" | "持续上传";
    keep_uploaded_says = "What changes here is uploaded by itself." | "此处的改动会自动上传。";
    watch_failed = "It is not kept uploaded." | "未能开启持续上传。";
    unwatch_failed = "It is still kept uploaded." | "仍在持续上传。";
    relations = "Copies" | "副本";
    holds_copy_of(from) = "Holds a copy of {from}" | "存有 {from} 的副本";
    copied_to(place) = "Kept as a copy on {place}" | "副本保存在 {place}";
    conflicts(count, word) = "{count} {word}" | "{count} 处冲突";
    keep_copy = "Keep a copy on another machine …" | "在另一台机器上保留副本…";
    keep_copy_short = "Keep a copy …" | "保留副本…";
    ignore = "Ignore …" | "忽略规则…";
    send = "Send to this machine" | "发送到此机器";
    send_menu_files = "Send files here …" | "发送文件到此处…";
    send_menu_folder = "Send a folder here …" | "发送文件夹到此处…";
    not_sent(name) = "{name} was not sent." | "{name} 未发送。";
    not_sent_more(name, count) = "{name} and {count} more were not sent." | "{name} 及另外 {count} 项未发送。";
    send_files = "Files …" | "文件…";
    send_folder = "A folder …" | "文件夹…";
    send_into(count, name) = "Send {count} files into {name}" | "将 {count} 个文件发送到“{name}”";
    send_one_into(name) = "Send 1 file into {name}" | "将 1 个文件发送到“{name}”";
    read_only(root, machine) = "{root} may not be written. On {machine} itself run: beckon roots writable {root} on" | "“{root}”不可写入。请在 {machine} 上运行：beckon roots writable {root} on";
    read_only_title = "Nothing was sent." | "未发送。";
    send_to_root = "Open a folder of the machine first, then drop the files there." | "请先打开该机器的文件夹，再将文件拖放到其中。";
    send_failed = "Nothing was sent." | "未能发送。";
    preparing(done, total) = "Reading what is to be sent: {done} of {total}" | "正在读取要发送的内容：{done} / {total}";
    too_long_list = "These are too many at once. Send fewer, or a folder at a time." | "一次发送的内容过多。请减少数量，或逐个文件夹发送。";
    /// Ignore patterns.
    ignore_title(root) = "What {root} leaves out of uploads" | "“{root}”上传时忽略的内容";
    ignore_label = "Patterns, one in each line" | "规则，每行一条";
    ignore_help = "As in a .gitignore file: “*.tmp” leaves out such files, “cache/” folders of this name, “/build” only the one at the top, “!keep.tmp” takes one back. What is stored already stays stored." | "格式与 .gitignore 相同：“*.tmp”忽略此类文件，“cache/”忽略此名称的文件夹，“/build”仅忽略顶层的一个，“!keep.tmp”恢复其中一个。已存入的内容会保留。";
    ignore_none = "Would leave out nothing" | "不会忽略任何内容";
    ignore_would(files, bytes) = "Would leave out {files}, {bytes}" | "将忽略 {files}，共 {bytes}";
    ignore_would_at_least(files, bytes) = "Would leave out {files}, {bytes} and more: the folder is too large to be looked through in 2 s" | "将忽略至少 {files}，共 {bytes}：文件夹过大，2 秒内无法全部查看";
    ignore_none_yet = "Nothing found so far that it would leave out: the folder is too large to be looked through in 2 s" | "目前未发现会被忽略的内容：文件夹过大，2 秒内无法全部查看";
    ignore_more(count) = "and {count} more" | "另有 {count} 项";
    ignore_and_more = "and more" | "以及更多";
    ignore_list = "Left out" | "将被忽略";
    ignore_looking = "Looking …" | "正在查看……";
    ignore_away(machine) = "{machine} is away. Its patterns can be seen and changed when it is back." | "{machine} 已离线，上线后才能查看和修改规则。";
    ignore_changed(now) = "Another terminal changed the patterns meanwhile; they are now: {now} Nothing was saved. Save again to put yours in their place." | "其他终端刚刚更改了规则，现为：{now} 尚未保存。再次保存会以你的规则取而代之。";
    ignore_saved = "The patterns are saved" | "规则已保存";
    ignore_too_long = "The patterns are too long: at most 16 KiB. Use fewer, wider ones." | "规则过长，最多 16 KiB。请改用更少、范围更大的规则。";
    ignored = "Left out" | "已忽略";
    ignored_says = "The patterns of this folder leave it out of uploads." | "此文件夹的规则将其排除在上传之外。";
    change_patterns = "Change patterns …" | "修改规则…";
    /// The dialog of a copy.
    copy_title(what) = "Keep a copy of {what}" | "保留“{what}”的副本";
    restore_title(what) = "Restore {what} to a machine" | "将“{what}”恢复到机器";
    machine = "Machine" | "机器";
    folder_to = "Write to" | "写入到";
    choose_root = "Choose a folder that may be written." | "请选择可写入的文件夹。";
    not_writable = "read-only" | "只读";
    how_writable(machine, root) = "To let Beckon write into {root}, run on {machine} itself: beckon roots writable {root} on" | "要允许写入“{root}”，请在 {machine} 上运行：beckon roots writable {root} on";
    no_writable(machine) = "{machine} has no folder that may be written. Run on {machine} itself: beckon roots add NAME=PATH:rw" | "{machine} 没有可写入的文件夹。请在 {machine} 上运行：beckon roots add NAME=PATH:rw";
    no_other_machine = "There is no other machine yet. Add one first." | "尚无其他机器，请先添加一台。";
    below = "Folder in it" | "其中的文件夹";
    below_hint = "Made if it is not there. Leave it empty for the folder itself." | "若不存在会自动创建。留空则写入该文件夹本身。";
    below_file = "File in it" | "其中的文件";
    below_file_hint = "Folders on the way are made if they are not there." | "途经的文件夹若不存在会自动创建。";
    no_name = "A file needs a name." | "请填写文件名。";
    bad_below = "A path has folder names between slashes, none of them “.” or “..”." | "路径由斜杠分隔的文件夹名称组成，不能包含“.”或“..”。";
    overlaps = "A copy cannot lie inside what it is a copy of. Choose another folder." | "副本不能位于其来源之内，请选择其他文件夹。";
    how_long = "How long" | "方式";
    keep_it = "Keep it current" | "持续保持最新";
    keep_it_says = "Every later change arrives there too. What is deleted here goes to a trash there for 30 days." | "之后的改动也会同步过去。此处删除的内容会在那里的回收站保留 30 天。";
    only_once = "Copy once" | "仅复制一次";
    only_once_says = "What is stored now, and nothing later." | "只复制目前已存入的内容。";
    watch_too(root) = "Keep {root} uploaded too" | "同时持续上传“{root}”";
    watch_too_says = "Only what is uploaded arrives at the copy. Nothing keeps this folder uploaded yet." | "只有已上传的内容才会到达副本。目前尚未开启此文件夹的持续上传。";
    copy_verb = "Make the copy" | "建立副本";
    restore_verb = "Restore" | "恢复";
    copy_not_watched(why) = "The copy is ordered, but what it is of is not kept uploaded: {why}" | "副本已安排，但其来源未开启持续上传：{why}";
    copy_ordered = "The copy is ordered" | "已安排建立副本";
    machine_is_away(machine) = "{machine} is away. It begins by itself when it is back." | "{machine} 已离线，上线后会自动开始。";
    /// Conflicts.
    conflicts_title = "Changed on the machine" | "在机器上被改动";
    conflicts_says(machine) = "These files of the copy were changed on {machine}. Whatever you do not choose goes to the trash there for 30 days." | "副本中的这些文件在 {machine} 上被改动。未选中的一方会移至那里的回收站，保留 30 天。";
    conflicts_away(machine) = "{machine} is away. Which files these are, and what becomes of them, can be seen when it is back." | "{machine} 已离线，上线后才能查看和处理这些文件。";
    conflicts_none = "Nothing is left to choose." | "已没有需要选择的文件。";
    conflicts_more(count) = "{count} more after these" | "此后还有 {count} 个";
    theirs(machine) = "At the source, {machine}" | "来源（{machine}）";
    theirs_unknown = "At the source" | "来源";
    ours(machine) = "In the copy, on {machine}" | "副本（{machine}）";
    side(size, time) = "{size}, {time}" | "{size}，{time}";
    deleted_there = "deleted" | "已删除";
    no_file = "no file" | "不是文件";
    kept_as(name) = "lies beside it as {name}" | "以 {name} 之名存于旁边";
    keep_theirs = "Keep the source’s" | "保留来源版本";
    keep_deleted = "Delete it here too" | "此处也删除";
    keep_ours = "Keep the copy’s" | "保留副本版本";
    keep_both = "Keep both" | "两者都保留";
    choices(name) = "What becomes of {name}" | "{name} 的处理方式";
}

/// What it is about, or was until it was over, in a word.
pub(crate) fn task(task: Task, is_over: bool) -> &'static str {
    match (task, is_over) {
        (Task::Upload, _) => upload(),
        (Task::Watch, false) => watching(),
        (Task::Watch, true) => watched(),
        (Task::Follow, false) => following(),
        (Task::Follow, true) => followed(),
        (Task::Copy, false) => copying(),
        (Task::Copy, true) => copied(),
        (Task::Send, false) => sending(),
        (Task::Send, true) => sent(),
    }
}

/// What ends it, of a task that has no end of its own.
pub(crate) fn stop(task: Task) -> &'static str {
    match task {
        Task::Watch => stop_watching(),
        Task::Follow => stop_following(),
        Task::Upload | Task::Copy | Task::Send => super::transfer::cancel(),
    }
}
