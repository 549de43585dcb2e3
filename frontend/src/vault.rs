//! What this browser keeps, in IndexedDB: keys, folders that were read, uploads under way. Works in workers too.
