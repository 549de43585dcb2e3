//! Texts of the way to a machine, and why it is that one.

texts! {
    lan = "LAN" | "局域网";
    direct = "direct" | "直连";
    relay = "relay" | "中转";
    lan_says = "Straight from the machine, within your network" | "在局域网内直接访问该机器";
    direct_says = "Straight from the machine, through a router or a VPN" | "经由路由器或 VPN 直接访问该机器";
    relay_says = "Through the server, which cannot read it" | "经由服务器中转，服务器无法读取内容";
    why = "why?" | "为什么？";
    why_relay(name) = "Why does {name} go by relay?" | "{name} 为什么走中转？";
    how_direct(name) = "How is {name} reached?" | "如何连接 {name}？";

    relay_title(name) = "Why {name} goes by relay" | "{name} 为什么走中转";
    direct_title(name) = "{name} is reached directly" | "已直接连接 {name}";
    tried = "Tried" | "尝试";
    found = "Found" | "结果";
    to_do = "To do" | "建议";

    tried_nothing = "Nothing yet." | "尚未尝试直连。";
    tried_at(addresses) = "Straight to {addresses}" | "直接访问 {addresses}";
    trying = "Trying …" | "正在尝试……";

    found_lan = "It answers within your network and has proved to be your machine. Nothing of it passes the server." | "它在你的局域网内应答，并已证明是你的机器。数据不经过服务器。";
    found_direct = "It answers straight and has proved to be your machine. Nothing of it passes the server." | "它直接应答，并已证明是你的机器。数据不经过服务器。";
    found_open = "Nothing speaks against a direct way. It is tried when the machine is opened." | "没有发现不能直连的原因。打开该机器时会尝试直连。";
    found_chosen = "You chose the relay for this browser." | "你为此浏览器选择了只走中转。";
    found_closed(name) = "{name} listens in no network that this browser was told of. That is switched off there, its network is not allowed, or its Beckon is older." | "{name} 没有在局域网中等待连接：该功能已在机器上关闭、所在网络未获允许，或其 Beckon 版本较旧。";
    found_forbidden = "This browser lets no page that came by https open a direct way to a machine." | "此浏览器不允许通过 https 打开的页面直接连接机器。";
    found_plain = "This page came over the Internet without https. Browsers let no such page into your network." | "此页面未经 https 从互联网打开，浏览器不允许这样的页面访问局域网。";
    found_unasked(name) = "{name} seems to be on your network. The browser has not asked you yet whether this page may reach it." | "{name} 似乎与你在同一局域网。浏览器尚未询问你是否允许此页面访问它。";
    found_denied = "This browser was told not to let this page into your network." | "此浏览器已被设置为不允许此页面访问局域网。";
    found_far(here, there) = "This browser visits from {here}, the machine from {there}: they seem to be in different networks." | "此浏览器从 {here} 访问，该机器从 {there} 访问，似乎不在同一网络。";
    found_silent = "No answer. The machine is in another network, or a firewall keeps its port closed." | "没有应答。该机器在另一网络中，或其端口被防火墙阻止。";
    found_another(name) = "Something answered there that did not prove to be {name}. It was told nothing. Two networks may use the same addresses." | "该地址的应答者未能证明自己是 {name}，没有向它发送任何内容。不同网络可能使用相同的地址。";

    do_nothing = "Nothing." | "无需操作。";
    do_nothing_relay = "Nothing needs doing: the relay works as well, and the server cannot read what passes." | "无需操作：中转同样可用，服务器无法读取经过的内容。";
    do_chosen = "Let this browser use the direct way again." | "可以让此浏览器重新使用直连。";
    do_closed = "Run this on the machine; it says what listens and what to do: beckon lan" | "请在该机器上运行 beckon lan，它会说明监听状态和处理方法。";
    do_ui = "Run this on the computer in front of you and open Beckon at the address that it prints: beckon ui" | "请在你面前的电脑上运行 beckon ui，然后用它显示的地址打开 Beckon。";
    do_plain = "Open Beckon by https, or run this on the computer in front of you: beckon ui" | "请通过 https 打开 Beckon，或在你面前的电脑上运行 beckon ui。";
    do_unasked = "Turn it on here. The browser then asks once." | "在此启用，浏览器会询问一次。";
    do_denied = "Allow the local network for this page in the browser's site settings, beside the address. It is tried again at once." | "请在地址栏旁的网站设置中允许此页面访问局域网，随后会立即重试。";
    do_far = "If they are in one network all the same, have it tried." | "如果它们其实在同一网络中，可以尝试直连。";
    do_silent(port) = "Let the machine's firewall take connections from your network at port {port}, then try again." | "请在该机器的防火墙中允许来自局域网的 {port} 端口连接，然后重试。";

    turn_on = "Turn on LAN speed" | "启用局域网直连";
    try_lan = "Try LAN" | "尝试局域网直连";
    try_again = "Try again" | "重试";
    relay_only = "Use the relay only" | "只走中转";
    use_direct = "Use the direct way" | "使用直连";

    lan_found(name) = "{name} is on your network." | "{name} 与你在同一局域网。";
    lan_found_says = "The browser will ask once to reach it directly." | "浏览器会询问一次是否允许直接访问。";
    not_now = "Not now" | "暂不";

    still(names) = "Still reached directly: {names}. Its folders, downloads and uploads go on." | "仍可直接访问 {names}：浏览、下载和上传不受影响。";
    given(name) = "{name} has the order. It shows here once the machine has told the server." | "{name} 已收到上传指令，待它通知服务器后会显示在这里。";
}
