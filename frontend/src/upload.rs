//! Files of this terminal on their way into `Files/` of the drive.
