//! Texts of uploads of this browser.

texts! {
    files_gone = "The page was closed before all was sent. Choose the same files again to go on; what arrived will not be sent again." | "页面在发送完成前已关闭。重新选择相同的文件即可继续，已收到的内容不会重传。";
    other_files = "These are not the files of this upload, or they changed. Choose the same ones, or cancel it and put the new ones in." | "所选文件与此次上传不符，或文件已改动。请选择相同的文件；也可取消后重新放入新文件。";
    stopped = "Not all of it could be sent: some of the files changed since they were chosen, or could not be read. Choose the same files again to go on, or cancel it and send the new ones." | "未能全部发送：部分文件在选择后有改动，或无法读取。重新选择相同的文件即可继续；也可取消后发送新文件。";
    refused(why) = "The sending stopped. What arrived will not be sent again. {why}" | "发送已停止，已收到的内容不会重传。{why}";
    nothing_known = "This browser does not know any more which files these were, so it cannot go on. Cancel it, then put the files in again; what arrived will not be sent again." | "此浏览器已没有这些文件的记录，无法继续。请取消后重新放入文件，已收到的内容不会重传。";
    goes_on = "It goes on in a moment." | "稍后会自动继续。";
    choose_again = "Choose files again" | "重新选择文件";
}
