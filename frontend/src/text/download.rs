//! Texts of downloads straight from a machine.

texts! {
    downloads = "Downloads" | "下载";
    this_computer = "this computer" | "此电脑";
    zip_of_many(folder) = "{folder} (selection).zip" | "{folder}（所选）.zip";
    one(name, percent) = "Downloading {name}: {percent} %" | "正在下载 {name}：{percent}%";
    one_unknown(name) = "Downloading {name}" | "正在下载 {name}";
    several(count) = "{count} downloads" | "{count} 项下载";
    not_done_one = "1 download needs you" | "1 项下载需要处理";
    not_done(count) = "{count} downloads need you" | "{count} 项下载需要处理";
    queued = "Waits for the others" | "等待其他下载完成";
    starting = "Starting" | "正在开始";
    progress_of(name) = "Progress of the download of {name}" | "{name} 的下载进度";
    cancel(name) = "Cancel the download of {name}" | "取消下载 {name}";
    dismiss(name) = "Dismiss {name}" | "关闭 {name}";
    again = "Download again" | "重新下载";

    keep_it(name) = "{name} is here. The browser may ask whether to keep it, as this page is not https." | "{name} 已下载。由于此页面不是 https，浏览器可能会询问是否保留。";
    waits(machine) = "{machine} cannot be reached at the moment. The download goes on by itself when it is back; what arrived is kept." | "暂时无法连接 {machine}。恢复后会自动继续下载，已收到的内容会保留。";
    failed(why) = "Not downloaded. {why}" | "未能下载。{why}";
    left_out_one = "Downloaded, but for one entry that could not be read; a text file in the ZIP names it." | "已下载，但有 1 项无法读取，ZIP 内的文本文件列出了该项。";
    left_out(count) = "Downloaded, but for {count} entries that could not be read; a text file in the ZIP names them, among them:" | "已下载，但有 {count} 项无法读取，ZIP 内的文本文件列出了这些内容，例如：";
    left_out_file = "NOT DOWNLOADED.txt" | "未下载.txt";
    left_out_intro = "Beckon could not read these on the machine, so they are not in this archive:" | "Beckon 无法在机器上读取以下内容，因此未包含在此压缩包中：";

    no_file = "Only files, folders and links can be downloaded." | "只能下载文件、文件夹和链接。";
    too_many = "This folder has more than a million entries. Download it by the command line: beckon get" | "此文件夹的条目超过一百万。请使用命令行下载：beckon get";
    damaged = "The bytes that arrived do not match their checksum. Try again; if it stays so, look after the machine's memory and disk." | "收到的数据与校验和不符。请重试；若仍有问题，请检查机器的内存和磁盘。";
    changed_inside(name) = "{name} changed on the machine while it was being read, and a part of it stood in the ZIP already. Nothing was saved. Download it again; if it keeps changing, upload the folder to the drive." | "{name} 在读取期间发生了变化，且其中一部分已写入 ZIP，未保存任何内容。请重新下载；若仍在变化，请将文件夹上传到云盘。";
    too_large(limit) = "From this page the browser can save at most {limit}. Open Beckon by https or by “beckon ui” on this computer, get it by “beckon get”, or upload it to the drive and download it from there." | "在此页面上，浏览器最多只能保存 {limit}。请通过 https 或在本机运行 beckon ui 打开 Beckon，使用 beckon get 获取，或先上传到云盘再下载。";
    not_written = "The browser could not write the file. Look whether the disk is full, then download it again." | "浏览器无法写入文件。请检查磁盘空间后重新下载。";
    browser_silent = "The browser did not begin to save it. Allow downloads of this page in the browser, then download it again." | "浏览器没有开始保存。请在浏览器中允许此页面下载，然后重新下载。";
    browser_gone = "The browser stopped saving it. Nothing was kept. Download it again." | "浏览器停止了保存，未保留任何内容。请重新下载。";
    away(machine) = "{machine} is away, and the drive does not hold all of it. Download it when the machine is back, or order its upload now." | "{machine} 已离线，且云盘中没有全部内容。请在机器上线后下载，或现在安排上传。";
}
