//! Texts of the search.

texts! {
    search = "Search" | "搜索";
    field = "Search machines, devices and the drive" | "搜索机器、设备和云盘";
    begin = "What are you looking for?" | "你要找什么？";
    begin_says = "A part of a name is enough. Machines, devices, and files and folders in the drive are looked through." | "输入名称的一部分即可。将在机器、设备以及云盘的文件和文件夹中查找。";
    machines = "Machines" | "机器";
    devices = "Browsers and command lines" | "浏览器和命令行";
    drive = "Drive" | "云盘";
    top = "Drive" | "云盘";
    more = "Show more" | "显示更多";
    nothing = "Nothing has this in its name" | "没有名称包含此内容的结果";
    nothing_says = "Try a shorter part of the name. What is on machines and not in the drive yet is found in their folders." | "请尝试名称中更短的部分。尚未存入云盘的内容可在机器的文件夹中查找。";
    failed = "The drive could not be searched" | "无法搜索云盘";
    count(count, word) = "{count} {word}" | "{count} 条结果";
}
