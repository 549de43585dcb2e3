//! Texts for an address that leads to no page.

texts! {
    title = "There is no such page" | "没有这个页面";
    says = "The address is mistyped, or leads to something that was here once." | "地址可能输错了，或者指向已经不存在的内容。";
    to_machines = "To your machines" | "前往机器列表";
}
