//! Texts of a machine's folders.

texts! {
    title(folder, machine) = "{folder} on {machine}" | "{machine} 上的 {folder}";
    switch = "Another machine" | "切换机器";
    columns_in_drive = "In drive" | "云盘状态";
    columns_modified = "Modified" | "修改时间";
    columns_size = "Size" | "大小";

    safe = "Safe in drive" | "已安全存入";
    changed = "Changed since" | "此后有改动";
    absent = "Not in drive" | "不在云盘中";
    uploading = "Uploading" | "正在上传";
    uploading_at(percent) = "Uploading {percent} %" | "正在上传 {percent}%";
    waits = "Waits" | "等待中";
    waits_at(percent) = "Waits at {percent} %" | "等待中，已传 {percent}%";
    not_known = "Not known yet" | "尚未核对";
    never = "Is not uploaded" | "不会上传";

    folder = "folder" | "文件夹";
    link = "link" | "链接";
    special = "special file" | "特殊文件";

    filter = "Filter this folder" | "筛选此文件夹";
    refresh = "Read again" | "重新读取";
    refresh_away = "Read again when the machine is back" | "机器上线后才能重新读取";
    hide_details = "Hide details" | "隐藏详情";
    tools = "Folder" | "文件夹";
    selection = "Selection" | "选择";
    clear = "Clear selection" | "取消选择";
    selected(count) = "{count} selected" | "已选 {count} 项";
    hidden(count) = "{count} hidden by the filter" | "{count} 项被筛选隐藏";
    more_for(count) = "More for {count} selected" | "对 {count} 个选中项的更多操作";

    upload = "Upload to drive" | "上传到云盘";
    upload_now = "Upload now" | "立即上传";
    upload_later = "Upload when back" | "上线后上传";
    upload_folder = "Upload this folder" | "上传此文件夹";
    download = "Download" | "下载";
    copy_path = "Copy path" | "复制路径";
    versions = "Versions" | "版本";
    to_device = "About this machine" | "关于此机器";
    key_upload = "Upload to drive" | "上传到云盘";
    key_download = "Download" | "下载";
    key_details = "Details" | "详情";
    key_refresh = "Read again" | "重新读取";

    entries(count, noun) = "{count} {noun}" | "{count} 项";
    shown(shown, count) = "{shown} of {count} shown" | "显示 {shown} 项，共 {count} 项";
    live = "live" | "实时";
    reading = "reading" | "正在读取";
    as_of(time) = "as of {time}" | "截至 {time}";
    in_files(size) = "{size} in files here" | "此处文件共 {size}";

    away_since(span) = "Away · {span}" | "离线 · {span}";
    away = "Away" | "离线";

    went_away(machine, time) = "{machine} went away at {time}." | "{machine} 于 {time} 离线。";
    away_says = "You see the folder as this browser last read it. Uploads that you ask for now start when it is back." | "显示的是此浏览器上次读取的内容。现在安排的上传会在它上线后自动开始。";
    away_unseen_title(machine) = "{machine} is away" | "{machine} 已离线";
    away_unseen = "This browser has not read this folder before. It appears here by itself when the machine is back. You can order the upload of the whole folder now." | "此浏览器尚未读取过此文件夹。机器上线后会自动显示。现在可以先安排上传整个文件夹。";

    not_readable_title(machine) = "{machine} may not read this folder" | "{machine} 无权读取此文件夹";
    not_readable = "Its system refused. Give the account that runs Beckon the right to read it, then read again." | "系统拒绝了访问。请为运行 Beckon 的账号授予读取权限，然后重新读取。";
    gone_title = "This folder is not there any more" | "此文件夹已不存在";
    gone = "It was moved, renamed or deleted on the machine. What was uploaded of it is still in your drive." | "它已在机器上被移动、重命名或删除。已上传的内容仍在你的云盘中。";
    failed_title = "This folder could not be read" | "无法读取此文件夹";
    read_again = "Read again" | "重新读取";
    what_drive_holds = "What the drive holds of it" | "查看云盘中的内容";
    up_to(name) = "Up to {name}" | "返回 {name}";
    to_machines = "To your machines" | "返回机器列表";
    empty_title = "This folder is empty" | "此文件夹为空";
    empty = "Nothing to upload from here." | "此处没有可上传的内容。";
    no_match_title = "No name holds this text" | "没有名称包含此文字";
    no_match(text) = "Nothing in this folder matches “{text}”." | "此文件夹中没有与“{text}”匹配的项目。";
    clear_filter = "Clear the filter" | "清除筛选";
    no_roots_title = "Nothing is open on this machine" | "此机器没有开放任何文件夹";
    no_roots = "Open a folder there, on the machine itself: beckon roots add NAME=PATH" | "请在该机器上开放一个文件夹：beckon roots add NAME=PATH";
    unknown_title = "This machine is not in your list" | "此机器不在你的列表中";
    unknown = "It was removed, or the address is not complete." | "它已被移除，或地址不完整。";
    waiting_list = "Reading the folder" | "正在读取文件夹";

    order_failed = "The upload was not ordered." | "未能安排上传。";
    download_failed(name) = "{name} was not downloaded." | "{name} 未能下载。";
    dismiss = "Dismiss" | "关闭提示";

    details_none = "Choose a row to see more about it." | "选择一行以查看详情。";
    in_the_drive = "In the drive" | "在云盘中";
    on_machine(machine) = "On {machine}" | "在 {machine} 上";
    fact_size = "Size" | "大小";
    fact_modified = "Modified" | "修改时间";
    fact_target = "Points to" | "指向";
    fact_path = "Path" | "路径";
    exact_bytes(count, noun) = "{count} {noun}" | "{count} 字节";
    safe_says = "The drive holds exactly this." | "云盘中的内容与此一致。";
    changed_says = "The drive holds an older content, which stays safe." | "云盘中保存的是较早的内容，仍然安全。";
    absent_says = "Only this machine holds it." | "只有这台机器上有。";
    folder_changed_says = "Something in it is not in the drive as it is now." | "其中有内容尚未按当前状态存入云盘。";
    unknown_says = "Not all of it was compared yet." | "尚未全部核对。";
    uploading_says = "It is on its way. It counts as safe when it is committed." | "正在上传，提交后才算安全。";
    waits_says = "The upload goes on by itself when the machine is back." | "机器上线后会自动继续上传。";
    never_says = "Pipes, sockets and devices are not uploaded." | "管道、套接字和设备文件不会上传。";

    preview_of(name) = "Preview of {name}" | "{name} 的预览";
    preview_load(size) = "Load preview ({size})" | "加载预览（{size}）";
    preview_none = "No preview for this kind of file" | "此类文件无法预览";
    preview_large = "Too large for a preview" | "文件过大，无法预览";
    preview_away = "No preview while the machine is away" | "机器离线时无法预览";
    preview_failed = "The preview could not be loaded." | "无法加载预览。";
    preview_empty = "The file is empty" | "文件为空";
    preview_cut(size) = "The first {size}" | "前 {size}";
    preview_broken = "The browser cannot show this file" | "浏览器无法显示此文件";
    image_facts(kind, width, height) = "{kind} image, {width} × {height}" | "{kind} 图片，{width} × {height}";
    kind_text = "Text" | "文本";
    kind_pdf = "PDF document" | "PDF 文档";
    kind_audio(kind) = "{kind} audio" | "{kind} 音频";
    kind_video(kind) = "{kind} video" | "{kind} 视频";
    kind_image(kind) = "{kind} image" | "{kind} 图片";
}
