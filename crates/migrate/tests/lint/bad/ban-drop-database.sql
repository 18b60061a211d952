DROP DATABASE platform;
