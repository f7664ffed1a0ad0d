mod cuts;
mod env;
