//! Texts of the keys, and of the dialog that lists them.

texts! {
    keys = "Keys" | "快捷键";
    everywhere = "Everywhere" | "任何页面";
    here = "On this page" | "当前页面";
    files = "Files and folders" | "文件与文件夹";
    upload = "Upload to drive, on a machine" | "上传到云盘（机器中）";
    download = "Download" | "下载";
    details = "Open or close the details" | "展开或收起详情";
    refresh = "Read again, on a machine" | "重新读取（机器中）";
    rename = "Rename, in the drive" | "重命名（云盘中）";
    delete = "Delete, in the drive" | "删除（云盘中）";
    lists = "In lists" | "列表中";
    letters_off = "Single letters are off. Turn them on in the settings." | "单字母快捷键已关闭，可在设置中开启。";
    go_machines = "Machines" | "打开机器";
    go_drive = "Drive" | "打开云盘";
    go_transfers = "Transfers" | "打开传输";
    search = "Search" | "搜索";
    all_keys = "All keys" | "所有快捷键";
    tray = "Open or close the transfers below" | "展开或收起底部的传输";
    filter = "Filter this list" | "筛选当前列表";
    add_machine = "Add a machine" | "添加机器";
    escape = "Close the top layer, then clear the selection" | "关闭最上层，再清除选择";
    step = "Move" | "移动";
    ends = "First, last, a page on" | "首项、末项、翻页";
    letters = "Jump to a name" | "跳到该名称";
    open = "Open" | "打开";
    up = "Up" | "上一级";
    select = "Select" | "选择";
    extend = "Extend the selection" | "扩展选择";
    select_all = "Select all" | "全选";
    menu = "Menu" | "菜单";
}
